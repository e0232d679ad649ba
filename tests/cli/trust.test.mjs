// The life of a trust document by its verbs: told by members, drafted, read, signed, in force; a member added, suspended, dropped; every
// key of a running node rotated without an outage, old receipts good as before.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Region, binary, root, until } from '../lib/region.mjs'

const dir = mkdtempSync(join(tmpdir(), 'tonghui-trust-'))
after(() => rmSync(dir, { recursive: true, force: true }))
const at = (name) => join(dir, name)
function run(...words) {
  const told = spawnSync(binary, [...words, '--json'], { encoding: 'utf8' })
  return { code: told.status, json: told.stdout ? JSON.parse(told.stdout) : null }
}
const done = (...words) => {
  const told = run(...words)
  assert.equal(told.code, 0, `${words.join(' ')}: ${JSON.stringify(told.json)}`)
  return told.json
}
const refused = (type, ...words) => {
  const told = run(...words)
  assert.equal(told.json.type, `urn:tonghui:problem:${type}`, JSON.stringify(told.json))
  return told.code
}

test('three administrations found a region, a fourth joins, one is suspended, resumed and dropped', () => {
  const codes = ['310000', '330000', '320000', '340000']
  codes.forEach((code, i) => {
    done('init', at(code), '--code', code, '--region', join(root, 'region/jingjinji'), '--suite', i % 2 ? 'sm2-sm3' : 'ed25519-sha256', '--portal-port', `${7000 + i}`, '--peer-port', `${7100 + i}`)
    const told = done('region', 'member', '--node', at(code), '--zh', `成员${i}`, '--en', `Member ${i}`)
    assert.equal(told.member.code, code)
    assert.ok(!JSON.stringify(told).includes('secret'))
    writeFileSync(at(`${code}.json`), JSON.stringify(told))
  })
  const three = codes.slice(0, 3)
  done('region', 'init', ...three.map((c) => at(`${c}.json`)), '--id', 'delta', '--zh', '长三角', '--en', 'Delta', '--threshold', '2', '--out', at('v1.json'))
  assert.equal(refused('trust-threshold', 'region', 'show', at('v1.json')), 3)
  done('region', 'sign', at('v1.json'), '--node', at('310000'))
  done('region', 'sign', at('v1.json'), '--node', at('310000')) // twice by one is still one
  refused('trust-threshold', 'region', 'apply', at('v1.json'), '--node', at('310000'))
  done('region', 'sign', at('v1.json'), '--node', at('330000'))
  for (const c of three) assert.equal(done('region', 'apply', at('v1.json'), '--node', at(c)).version, 1)
  assert.equal(refused('trust-rollback', 'region', 'apply', at('v1.json'), '--node', at('310000')), 3)
  assert.equal(done('region', 'show', '--node', at('320000')).signed.members.length, 3)

  done('region', 'propose', at('v1.json'), '--put', at('340000.json'), '--threshold', '3', '--out', at('v2.json'))
  const changes = done('region', 'diff', at('v1.json'), at('v2.json'))
  assert.ok(changes.some((c) => c.path === '/members/340000' && c.before === null && c.zh === '新增' && c.en === 'added'))
  assert.ok(changes.some((c) => c.path === '/governors/threshold' && c.before === 2 && c.after === 3))
  for (const c of ['310000', '330000']) done('region', 'sign', at('v2.json'), '--node', at(c))
  refused('trust-threshold', 'region', 'apply', at('v2.json'), '--node', at('310000')) // its own threshold is three
  done('region', 'sign', at('v2.json'), '--node', at('340000'))
  for (const c of codes) if (c !== '340000') done('region', 'apply', at('v2.json'), '--node', at(c))
  done('region', 'apply', at('v2.json'), '--node', at('340000')) // a new member's first is whatever version is in force

  done('region', 'propose', at('v2.json'), '--suspend', '340000', '--out', at('v3.json'))
  for (const c of ['310000', '330000', '320000']) done('region', 'sign', at('v3.json'), '--node', at(c))
  done('region', 'apply', at('v3.json'), '--node', at('310000'))
  assert.deepEqual(done('region', 'show', at('v3.json')).signed.suspended, ['340000'])
  done('region', 'propose', at('v3.json'), '--resume', '340000', '--out', at('v4.json'))
  assert.deepEqual(done('region', 'diff', at('v3.json'), at('v4.json')).find((c) => c.path === '/suspended').after, [])
  assert.equal(refused('not-suspended', 'region', 'propose', at('v4.json'), '--resume', '340000', '--out', at('no.json')), 3)
  assert.equal(refused('unknown-member', 'region', 'propose', at('v4.json'), '--drop', '999999', '--out', at('no.json')), 3)
  assert.equal(refused('threshold', 'region', 'propose', at('v4.json'), '--drop', '340000', '--threshold', '4', '--out', at('no.json')), 1)
  assert.ok(!existsSync(at('no.json')))
  done('region', 'propose', at('v4.json'), '--drop', '340000', '--out', at('v5.json'))
  assert.ok(done('region', 'diff', at('v4.json'), at('v5.json')).some((c) => c.path === '/members/340000' && c.after === null))
  for (const c of ['310000', '330000', '320000']) done('region', 'sign', at('v4.json'), '--node', at(c))
  assert.equal(refused('trust-gap', 'region', 'apply', at('v4.json'), '--node', at('330000')), 3) // it has version 2
})

test('every key of a running node is rotated; what the old ones signed stays good', async () => {
  const r = await Region.make({ people: 40 })
  try {
    await r.startAll()
    const home = r.nodes['120000'].dir
    const system = r.keyed('120000'), foreign = r.keyed('110000')
    const companies = {}
    for (const code of ['110000', '120000']) {
      done('generate', at(`g${code}`), '--code', code, '--region', r.regionDir, '--people', '40', '--seed', '20260101')
      companies[code] = JSON.parse(readFileSync(at(`g${code}/legal-persons.jsonl`), 'utf8').split('\n')[0])
    }
    const ask = (from, provider) => {
      const { uscc, name } = companies[provider]
      return from.post('/exchange/v1/ask', { provider, register: 'legal-persons', operation: 'verify', key: { uscc }, claims: { name }, purpose: { item: 'business-check' } })
    }
    const works = async (what) => {
      for (const [from, provider] of [[system, '110000'], [foreign, '120000']])
        await until(`${what}: ${provider} to answer`, async () => {
          const answer = await ask(from, provider)
          if (answer.status !== 200) throw new Error(answer.text)
          return true
        })
    }
    const before = await ask(foreign, '120000')
    assert.equal(before.status, 200, before.text)
    writeFileSync(at('receipt.json'), JSON.stringify(before.json.receipt))
    let version = 1
    const publish = (...how) => {
      const from = at(`r${version}.json`), next = at(`r${++version}.json`)
      if (version === 2) writeFileSync(from, readFileSync(r.trustFile))
      done('region', 'propose', from, ...how, '--out', next)
      for (const c of ['110000', '120000', '130000']) done('region', 'sign', next, '--node', r.nodes[c].dir)
      for (const c of Object.keys(r.nodes)) done('region', 'apply', next, '--node', r.nodes[c].dir)
    }
    const tell = () => writeFileSync(at('me.json'), JSON.stringify(done('region', 'member', '--node', home, '--zh', '天津市', '--en', 'Tianjin')))
    for (const use of ['message', 'journal', 'certificate', 'certificate-p256', 'governor', 'tls']) {
      const fresh = done('key', 'new', use, '--node', home).id
      assert.equal(refused('next-key-exists', 'key', 'new', use, '--node', home), 3)
      assert.equal(refused('key-not-in-trust', 'key', 'switch', use, '--node', home), 3)
      assert.deepEqual(done('key', 'list', '--node', home).items.filter((k) => !k.known).map((k) => k.id), [fresh])
      tell()
      publish('--put', at('me.json'))
      await works(`${use} told`)
      const switched = done('key', 'switch', use, '--node', home)
      assert.equal(switched.id, fresh)
      if (switched.restart) {
        await r.stop('120000')
        await r.start('120000')
      }
      await works(`${use} switched`)
    }
    assert.equal(statSync(join(home, 'keys/message.json')).mode & 0o777, 0o600)
    tell()
    publish('--put', at('me.json')) // the old ones end
    await works('old keys retired')
    const member = JSON.parse(readFileSync(at(`r${version}.json`), 'utf8')).signed.members.find((m) => m.code === '120000')
    assert.equal(member.tls.length, 1)
    const live = member.keys.filter((k) => Date.parse(k.not_after) > Date.now())
    assert.deepEqual(live.map((k) => k.use).toSorted(), ['certificate', 'certificate', 'journal', 'message'])
    assert.equal(member.keys.length, 8)
    assert.equal(done('receipt', 'verify', at('receipt.json'), '--trust', at(`r${version}.json`)).valid, true)
    assert.equal(done('journal', 'check', '--node', home).ok, true)
    const after_ = await ask(foreign, '120000')
    writeFileSync(at('receipt2.json'), JSON.stringify(after_.json.receipt))
    assert.notEqual(after_.json.receipt.head.kid, before.json.receipt.head.kid)
    done('receipt', 'verify', at('receipt2.json'), '--trust', at(`r${version}.json`))
    assert.equal(run('receipt', 'verify', at('receipt2.json'), '--trust', r.trustFile).code, 3) // the first document knows nothing of that key
  } finally {
    await r.close()
  }
})
