// The verbs that work on a node, beside one that runs: accounts, registers, grants, asking, catalogue, journal, backups, simulation. Each
// gives words and, with --json, exactly one JSON document; the running node takes notice.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Region, binary, root, until } from '../lib/region.mjs'

const CODE = '110000'
let r, home
before(async () => {
  r = await Region.make({ people: 200 })
  await r.startAll()
  home = r.nodes[CODE].dir
})
after(() => r?.close())

function told(words, { input = '', env = {} } = {}) {
  const t = spawnSync(binary, words, { encoding: 'utf8', input, env: { ...process.env, TONGHUI_LANG: 'en', ...r.env, ...env } })
  return { code: t.status, out: t.stdout, err: t.stderr }
}
const plain = (...words) => told([...words, '--node', home])
const json = (...words) => {
  const t = told([...words, '--node', home, '--json'])
  return { code: t.code, ...JSON.parse(t.out) }
}
const file = (name, text) => {
  const path = join(r.dir, name)
  writeFileSync(path, typeof text === 'string' ? text : JSON.stringify(text))
  return path
}

test('accounts: added, listed, given another password, disabled; the running node knows at once', async () => {
  assert.equal(json('user', 'office', 'BJ-NEW', '--zh', '新部门', '--en', 'New office').done, true)
  const added = json('user', 'add', 'zhang', '--role', 'clerk,duty', '--name', '张工', '--office', 'BJ-NEW', '--password', 'first-password')
  assert.match(added.account, /^[0-9a-f-]{36}$/)
  assert.equal(json('user', 'add', 'zhang', '--role', 'clerk', '--password', 'another-password').code, 3)
  assert.equal(plain('user', 'add', 'li', '--role', 'king', '--password', 'x').code, 2)
  assert.equal(json('user', 'add', 'li', '--role', 'clerk', '--office', 'BJ-NEW', '--password', 'short').code, 1)
  assert.equal((await r.client(CODE).signIn('zhang', 'first-password')).status, 200)
  const env = { TONGHUI_PASSWORD: 'second-password' }
  assert.equal(told(['user', 'password', 'zhang', '--node', home], { env }).code, 0)
  assert.equal(told(['user', 'password', 'zhang', '--node', home], { input: 'third-password\n' }).code, 0)
  assert.equal((await r.client(CODE).signIn('zhang', 'third-password')).status, 200)
  assert.equal((await r.client(CODE).signIn('zhang', 'first-password')).status, 401)
  const row = json('user', 'list').items.find((a) => a.login === 'zhang')
  assert.deepEqual(row.roles.toSorted(), ['clerk', 'duty'])
  assert.match(plain('user', 'list').out, /zhang/)
  assert.equal(json('user', 'disable', 'zhang').done, true)
  assert.notEqual((await r.client(CODE).signIn('zhang', 'third-password')).status, 200)
  assert.match(plain('user', 'list').out, /zhang.*disabled/)
  assert.equal(json('user', 'disable', 'nobody').code, 3)
})

test('a key asks through the running node; what is wrong keeps its own words and exit code', () => {
  const { key } = json('user', 'key', 'a system', '--office', 'BJ-DATA')
  assert.match(key, /^thk_/)
  const rows = join(r.dir, 'g')
  assert.equal(told(['generate', rows, '--code', '130000', '--region', r.regionDir, '--people', '200', '--seed', '20260101']).code, 0)
  const company = JSON.parse(readFileSync(join(rows, 'legal-persons.jsonl'), 'utf8').split('\n')[0])
  const ask = { provider: '130000', register: 'legal-persons', operation: 'verify', key: { uscc: company.uscc }, claims: { name: company.name }, purpose: { item: 'business-check' } }
  const answer = told(['ask', '-', '--node', home], { input: JSON.stringify(ask), env: { TONGHUI_KEY: key } })
  assert.equal(answer.code, 0, answer.err)
  const said = JSON.parse(answer.out)
  assert.deepEqual(said.results, { name: 'match' })
  const receipt = file('receipt.json', said.receipt)
  assert.match(told(['receipt', 'verify', receipt, '--trust', r.trustFile]).err, /The receipt holds: log 130000\./)
  writeFileSync(receipt, JSON.stringify(said.receipt).replace('answered', 'answerEd'))
  assert.equal(told(['receipt', 'verify', receipt, '--trust', r.trustFile]).code, 3)
  const refused = told(['ask', file('ask.json', { ...ask, purpose: { item: 'curiosity' } }), '--node', home, '--key', key, '--json'])
  assert.equal(refused.code, 3)
  assert.match(JSON.parse(refused.out).type, /grant/)
  const wrong = told(['ask', file('ask.json', { ...ask, operation: 'guess' }), '--node', home, '--key', key])
  assert.equal(wrong.code, 1)
  assert.match(wrong.err, /\/operation/)
  assert.equal(told(['ask', file('ask.json', ask), '--node', home, '--key', 'thk_no_no']).code, 3)
})

test('registers: bad rows are told one by one, good ones become a version that the node serves', () => {
  const before_ = json('register', 'list').items.find((i) => i.name === 'legal-persons')
  const csv = file('companies.csv', 'uscc,name,region,status\n91110000100000001X,甲公司,110000,existing\n9111000010000000XX,乙公司,110000,existing\n91110000100000001X,丙公司,110000,existing\n,丁公司,110000,existing\n')
  const none = json('register', 'import', 'legal-persons', csv)
  const good = json('register', 'export', 'legal-persons', join(r.dir, 'out.jsonl'))
  assert.equal(good.done, true)
  const exported = readFileSync(join(r.dir, 'out.jsonl'), 'utf8').trim().split('\n')
  assert.equal(exported.length, before_.entries)
  const broken = file('broken.jsonl', `${exported[0]}\n{"uscc":"bad","name":"乙","region":"110000","status":"existing"}\nnot json\n${exported[1]}\n`)
  const summary = json('register', 'import', 'legal-persons', broken)
  assert.equal(summary.code, 0)
  assert.deepEqual([summary.kept, summary.refused, summary.report.map((b) => b.line)], [2, 2, [2, 3]])
  for (const bad of summary.report) assert.ok(/[\u4e00-\u9fff]/.test(bad.zh) && bad.en && bad.code)
  assert.ok(summary.version > before_.version)
  assert.equal(json('register', 'list').items.find((i) => i.name === 'legal-persons').entries, 2)
  const words = plain('register', 'import', 'legal-persons', broken)
  assert.match(words.err, /line 2 uscc: /)
  assert.match(words.err, /2 rows kept, 2 refused/)
  assert.equal(json('register', 'import', 'legal-persons', join(r.dir, 'out.jsonl')).kept, exported.length)
  assert.ok(none.code === 1 || none.refused >= 3)
  assert.equal(json('register', 'import', 'secrets', csv).code, 3)
  assert.equal(plain('register', 'import', 'legal-persons', join(r.dir, 'nowhere.csv')).code, 1)
  assert.match(plain('register', 'list').out, /legal-persons/)
})

test('grants: added from files, listed, removed; peers learn of it', async () => {
  const grant = { id: 'cli-grant', provider: CODE, consumer: { member: '120000' }, register: 'legal-persons', operation: 'query', fields: ['name'], purposes: ['cli-test'], basis: { zh: '测试第一条', en: 'A test, article 1' }, consent: 'none', not_before: '2026-01-01T00:00:00Z', not_after: '2028-01-01T00:00:00Z' }
  assert.equal(json('grant', 'add', file('grant.json', grant)).done, true)
  assert.equal(json('grant', 'list').items.find((g) => g.id === 'cli-grant').operation, 'query')
  assert.match(plain('grant', 'list').out, /cli-grant\s+120000\s+legal-persons\s+query/)
  assert.equal(json('grant', 'add', file('grant.json', { ...grant, fields: 'name' })).code, 1)
  assert.equal(json('grant', 'remove', 'cli-grant').done, true)
  assert.equal(json('grant', 'list').items.find((g) => g.id === 'cli-grant'), undefined)
  assert.equal(json('grant', 'remove', 'cli-grant').code, 3)
})

test('the catalogue: searched, shown, downloaded', () => {
  assert.ok(json('catalogue', 'list').items.some((d) => d.id === 'divisions'))
  assert.deepEqual(json('catalogue', 'list', '行政区划').items.map((d) => d.id), ['divisions'])
  assert.ok(json('catalogue', 'list', '--sector', 'education').items.every((d) => d.sector === 'education'))
  assert.match(plain('catalogue', 'list').out, /divisions +geo-information +open/)
  assert.equal(json('catalogue', 'show', 'divisions').licence, 'MIT')
  assert.equal(json('catalogue', 'show', 'nothing').code, 3)
  const csv = join(r.dir, 'divisions.csv')
  assert.ok(json('catalogue', 'get', 'divisions', '--format', 'csv', '--out', csv).bytes > 1000)
  assert.equal(readFileSync(csv, 'utf8'), readFileSync(join(root, 'region/jingjinji/datasets/divisions.csv'), 'utf8'))
  assert.equal(JSON.parse(plain('catalogue', 'get', 'divisions', '--format', 'geojson').out).type, 'FeatureCollection')
  assert.equal(json('catalogue', 'get', 'register-population', '--out', csv).code, 3)
})

test('the journal: its last entries, all of it checked', () => {
  const tail = json('journal', 'tail', '3')
  assert.ok(tail.log.startsWith(`${CODE}.`))
  assert.ok(tail.items.length >= 1 && tail.items.length <= 3)
  assert.equal(plain('journal', 'tail', '2').out.trim().split('\n').length, Math.min(2, tail.items.length))
  const check = json('journal', 'check')
  assert.equal(check.ok, true)
  assert.equal(check.entries, tail.items.at(-1).index + 1)
})

test('the simulated life is changed in the running node', async () => {
  assert.equal(json('journal', 'check').ok, true)
  const before_ = json('journal', 'check').entries
  assert.equal(json('simulate', '600').done, true)
  await until('the life to begin', () => json('journal', 'check').entries > before_ + 3)
  assert.equal(json('simulate', 'off').done, true)
  assert.equal(JSON.parse(readFileSync(join(home, 'node.json'), 'utf8')).life_per_minute, 0)
})

test('a backup of the running node, restored elsewhere; a demonstration only is simulated', async () => {
  const to = join(r.dir, 'backup')
  assert.equal(json('backup', to).done, true)
  assert.notEqual(json('backup', to).code, 0) // not over an older one
  assert.ok(!existsSync(join(to, 'keys')))
  if (process.env.TONGHUI_TEST_STORE === 'postgresql') return
  await r.stop(CODE)
  const kept = readFileSync(join(home, 'node.json'), 'utf8')
  try {
    assert.notEqual(json('restore', to).code, 0) // not over a store that is there
    writeFileSync(join(home, 'node.json'), JSON.stringify({ ...JSON.parse(kept), store: 'sqlite:second.sqlite', demonstration: false }))
    assert.equal(json('restore', to).done, true)
    assert.equal(json('journal', 'check').ok, true)
    assert.equal(json('simulate', 'on').code, 3)
  } finally {
    writeFileSync(join(home, 'node.json'), kept)
    await r.start(CODE)
  }
})

test('a running node is not opened twice', () => {
  const twice = told(['serve', '--node', home])
  assert.equal(twice.code, 3)
  assert.match(twice.err, /running/)
  mkdirSync(join(r.dir, 'empty'))
  assert.equal(told(['serve', '--node', join(r.dir, 'empty')]).code, 3)
  rmSync(join(r.dir, 'empty'), { recursive: true })
})
