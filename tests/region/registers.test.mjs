// The eight registers between real processes: predicates, masks, duty and consent, guessing, and records that contradict each other.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Region, codes, until } from '../lib/region.mjs'

let r
const made = {} // what each node's registers hold, as invented
const rows = (code, register) => {
  if (!made[code]) {
    made[code] = join(r.dir, `made-${code}`)
    r.run('generate', made[code], '--code', code, '--region', r.regionDir, '--people', '400', '--seed', '20260101')
  }
  return readFileSync(join(made[code], `${register}.jsonl`), 'utf8').trim().split('\n').map((line) => JSON.parse(line))
}
const grant = (provider, register, operation, fields, more = {}) => {
  const file = join(r.dir, `grant-${provider}-${register}-${operation}.json`)
  const body = codes.map((member) => ({ id: `reg-${register}-${operation}-${provider}-${member}`, provider, register, operation, fields, consumer: { member }, purposes: ['reg-test'], basis: { zh: '测试规定第一条', en: 'test rule, article 1' }, consent: 'none', rate: 0, not_before: '2026-01-01T00:00:00Z', not_after: '2031-01-01T00:00:00Z', ...more }))
  for (const one of body) {
    writeFileSync(file, JSON.stringify(one))
    r.run('grant', 'add', file, '--node', r.nodes[provider].dir)
  }
}
const purpose = { item: 'reg-test' }
const problem = (answer, status, type) => {
  assert.equal(answer.status, status, answer.text)
  if (type) assert.match([answer.json.type, ...(answer.json.errors ?? []).map((e) => e.code)].join(' '), new RegExp(type))
}

before(async () => {
  r = await Region.make({ people: 400 })
  for (const provider of codes) {
    grant(provider, 'population', 'verify', ['name', 'household_region', 'status', 'age>=', 'household_in'])
    grant(provider, 'population', 'query', ['status', 'name*'])
    grant(provider, 'degrees', 'verify', ['name', 'level', 'level>='])
    grant(provider, 'marriage', 'verify', ['name', 'marital_status', 'spouse_id_number', 'married_on'])
    grant(provider, 'titles', 'verify', ['name', 'rank>=', 'mutual_recognition'])
    grant(provider, 'professional-qualifications', 'verify', ['name', 'grade>=', 'valid_on'])
    grant(provider, 'enterprise-qualifications', 'verify', ['grade>=', 'valid_on', 'status'])
    grant(provider, 'enterprise-archives', 'verify', ['sha256', 'title'])
  }
  await r.startAll()
  await until('the grants of the test', async () => {
    for (const code of codes)
      for (const provider of codes) {
        const known = await (await fetch(`${r.nodes[code].portal}/exchange/v1/grants?provider=${provider}`)).text()
        if (!known.includes('reg-enterprise-archives-verify')) return false
      }
    return true
  })
})
after(() => r?.close())

test('every node keeps the eight registers', async () => {
  for (const code of codes) {
    const list = (await (await r.signedIn(code, 'operator')).get('/records/v1/registers')).json.items
    assert.deepEqual(list.map((each) => each.name).sort(), ['degrees', 'enterprise-archives', 'enterprise-qualifications', 'legal-persons', 'marriage', 'population', 'professional-qualifications', 'titles'])
    for (const each of list) assert.ok(each.entries > 0 && each.simulated, `${code} ${each.name}`)
  }
})

test('predicates answer without telling the value', async () => {
  const system = r.keyed('120000', 'predicates')
  const ask = async (register, key, claims) => {
    const answer = await system.post('/exchange/v1/ask', { provider: '130000', register, operation: 'verify', key, claims, purpose })
    assert.equal(answer.status, 200, answer.text)
    return answer.json.results
  }
  const person = rows('130000', 'population')[3]
  const age = 2026 - Number(person.birth_date.slice(0, 4)) - (person.birth_date.slice(5) > '11-24' ? 1 : 0)
  const key = { id_number: person.id_number }
  assert.deepEqual(await ask('population', key, { 'age>=': 18, household_in: '130000', name: person.name }), { 'age>=': 'match', household_in: 'match', name: 'match' })
  // Today is whatever day the test runs on: one year either way is enough.
  assert.deepEqual(await ask('population', key, { 'age>=': age - 1, household_in: person.household_county }), { 'age>=': 'match', household_in: 'match' })
  assert.deepEqual(await ask('population', key, { 'age>=': age + 20, household_in: '110000' }), { 'age>=': 'mismatch', household_in: 'mismatch' })
  const degree = rows('130000', 'degrees').find((d) => d.level === '大学本科')
  const certificate = { id_number: degree.id_number, certificate_number: degree.certificate_number }
  assert.deepEqual(await ask('degrees', certificate, { 'level>=': '专科' }), { 'level>=': 'match' })
  assert.deepEqual(await ask('degrees', certificate, { 'level>=': '本科', name: degree.name }), { 'level>=': 'match', name: 'match' })
  assert.deepEqual(await ask('degrees', certificate, { 'level>=': '硕士' }), { 'level>=': 'mismatch' })
  const title = rows('130000', 'titles')[0]
  assert.deepEqual(await ask('titles', { id_number: title.id_number, series: title.series }, { 'rank>=': '员级', mutual_recognition: title.mutual_recognition }), { 'rank>=': 'match', mutual_recognition: 'match' })
  const q = rows('130000', 'enterprise-qualifications').find((each) => each.status === 'valid')
  const company = { uscc: q.uscc.toLowerCase(), category: q.category }
  assert.deepEqual(await ask('enterprise-qualifications', company, { 'grade>=': q.grade, valid_on: q.expires }), { 'grade>=': 'match', valid_on: 'match' })
  assert.deepEqual(await ask('enterprise-qualifications', company, { valid_on: '2014-12-31' }), { valid_on: 'mismatch' })
  const archive = rows('130000', 'enterprise-archives')[0]
  assert.deepEqual(await ask('enterprise-archives', { uscc: archive.uscc, archive_number: archive.archive_number, document_number: '001' }, { sha256: archive.sha256 }), { sha256: 'match' })
  const couple = rows('130000', 'marriage').find((m) => m.marital_status === 'married')
  assert.deepEqual(await ask('marriage', { id_number: couple.id_number }, { spouse_id_number: couple.spouse_id_number, married_on: '2026-01-01', marital_status: 'married' }), { spouse_id_number: 'match', married_on: 'match', marital_status: 'match' })
})

test('operands that no record could have are said, and cost no guess', async () => {
  const system = r.keyed('120000', 'operands')
  const ask = (register, key, claims) => system.post('/exchange/v1/ask', { provider: '130000', register, operation: 'verify', key, claims, purpose })
  const key = { id_number: rows('130000', 'population')[4].id_number }
  problem(await ask('population', key, { 'age>=': -1 }), 400, 'range')
  problem(await ask('population', key, { 'age>=': '18' }), 400, 'range')
  problem(await ask('population', key, { household_in: '110103' }), 400, 'region') // 崇文, abolished in 2010: no address of today
  problem(await ask('degrees', { ...key, certificate_number: '991011202404000001' }, { 'level>=': '小学' }), 400, 'enum')
  problem(await ask('professional-qualifications', { ...key, occupation: '电工' }, { valid_on: '2026-02-30' }), 400, 'date')
  problem(await ask('population', key, { name: '张\u202e三' }), 400, 'name-control')
  problem(await ask('population', key, { 'birth_date>=': '2000-01-01' }), 400, 'field')
  problem(await ask('population', { id_number: '11010519491231002' }, { name: 'x' }), 400, 'length')
})

test('a query tells what its grant names, and masked what it names masked', async () => {
  const system = r.keyed('120000', 'masks')
  const person = rows('130000', 'population')[5]
  const ask = (fields) => system.post('/exchange/v1/ask', { provider: '130000', register: 'population', operation: 'query', key: { id_number: person.id_number }, fields, purpose })
  const told = await ask(['name*', 'status'])
  assert.equal(told.status, 200, told.text)
  const [first, ...rest] = [...person.name]
  assert.deepEqual(told.json.record, { 'name*': first + '*'.repeat(rest.length), status: 'normal' })
  problem(await ask(['name']), 403, 'grant-')
  problem(await ask(['household_address*']), 403, 'grant-')
  problem(await ask(['household_address']), 400, 'field')
})

test('a grant without consent must cite the law that makes the read a duty', () => {
  assert.throws(() => grant('110000', 'titles', 'query', ['title'], { basis: { zh: '工作需要', en: 'needed for work' } }), /条款或文号/)
})

test('a person found at one node is answered as that node does; a silent node turns no into perhaps', async () => {
  const system = r.keyed('120000', 'everywhere')
  const ask = (id_number, claims) => system.post('/records/v1/verify:everywhere', { register: 'population', key: { id_number }, claims, purpose, deadline_ms: 3000 })
  const person = rows('133100', 'population')[2]
  const found = await ask(person.id_number, { name: person.name, household_region: '133100' })
  assert.equal(found.status, 200, found.text)
  assert.deepEqual([found.json.results, found.json.conflict, found.json.complete], [{ name: 'match', household_region: 'match' }, false, true])
  assert.equal(found.json.nodes.length, 4)
  const nobody = await ask('11010519491231002X', { name: '无人' })
  assert.deepEqual([nobody.json.results, nobody.json.complete], [{ name: 'mismatch' }, true])
  await r.stop('133100')
  const silent = await ask(person.id_number, { name: person.name, household_region: '133100' })
  assert.deepEqual([silent.json.results, silent.json.complete], [{ name: 'indeterminate', household_region: 'indeterminate' }, false], silent.text)
  assert.equal(silent.json.nodes.find((n) => n.code === '133100').state, 'silent')
  await r.start('133100')
})

test('two nodes that both hold one person: indeterminate where they differ, and a ticket at all of them', async () => {
  const system = r.keyed('120000', 'conflict')
  const person = rows('130000', 'population')[7]
  const file = join(r.dir, 'second.jsonl')
  writeFileSync(file, [...rows('110000', 'population').map((p) => JSON.stringify(p)), JSON.stringify({ ...person, household_region: '110000', household_county: '110105' })].join('\n'))
  r.run('register', 'import', 'population', file, '--node', r.nodes['110000'].dir)
  const ask = () => system.post('/records/v1/verify:everywhere', { register: 'population', key: { id_number: person.id_number }, claims: { name: person.name, household_region: '130000' }, purpose })
  const answer = await until('both nodes to hold the person', async () => {
    const a = await ask()
    return a.json.conflict && a
  })
  assert.deepEqual(answer.json.results, { name: 'match', household_region: 'indeterminate' })
  for (const code of ['120000', '110000', '130000']) {
    const operator = await r.signedIn(code, 'operator')
    const tickets = await until(`the ticket at ${code}`, async () => {
      const list = (await operator.get('/records/v1/conflicts')).json.items
      return list.length && list
    })
    assert.deepEqual(tickets.map((t) => [t.register, t.kind, t.detail.nodes.toSorted(), t.detail.claims]), [['population', 'nodes', ['110000', '130000'], ['household_region']]])
    assert.equal(tickets[0].key.id_number, person.id_number.replace(/^(.{4}).*(.{4})$/, '$1**********$2'))
  }
  await ask()
  const again = (await (await r.signedIn('120000', 'operator')).get('/records/v1/conflicts')).json.items
  assert.equal(again.length, 1) // one open ticket of a kind and person is enough
})

test('a person married twice in one file gets a ticket, not an answer', async () => {
  const system = r.keyed('120000', 'bigamy')
  const all = rows('133100', 'marriage')
  const one = all.find((m) => m.marital_status === 'married') ?? { ...all[0], marital_status: 'married', spouse_id_number: all[1].id_number, spouse_name: all[1].name, registered: '2020-05-20' }
  const other = all.find((m) => m.id_number !== one.id_number && m.id_number !== one.spouse_id_number)
  const file = join(r.dir, 'bigamy.jsonl')
  writeFileSync(file, [...all.filter((m) => m.id_number !== one.id_number), one, { ...one, spouse_id_number: other.id_number, spouse_name: other.name, registered: '2024-05-20' }].map((m) => JSON.stringify(m)).join('\n'))
  const report = r.run('register', 'import', 'marriage', file, '--node', r.nodes['133100'].dir, '--json')
  assert.match(report, /conflicting-rows/)
  const answer = await until('the new version to be live', async () => {
    const a = await system.post('/exchange/v1/ask', { provider: '133100', register: 'marriage', operation: 'verify', key: { id_number: one.id_number }, claims: { marital_status: 'married', spouse_id_number: one.spouse_id_number }, purpose })
    return a.json.results?.marital_status === 'indeterminate' && a
  })
  assert.deepEqual(answer.json.results, { marital_status: 'indeterminate', spouse_id_number: 'indeterminate' })
})

test('guesses about one person are stopped within one batch, and enumeration within a minute', async () => {
  const system = r.keyed('120000', 'guesser')
  const person = rows('130000', 'population')[9]
  const one = (id_number, name) => ({ provider: '130000', register: 'population', operation: 'verify', key: { id_number }, claims: { name }, purpose })
  const guesses = await system.post('/exchange/v1/ask:batch', { asks: Array.from({ length: 100 }, (_, i) => one(person.id_number, `猜${i}`)) })
  assert.equal(guesses.status, 200, guesses.text)
  assert.equal(guesses.json.items.filter((i) => i.results).length, 5)
  assert.ok(guesses.json.items.slice(5).every((i) => /verify-budget/.test(i.problem.type)))
  const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
  const number = (i) => {
    const front = `13010219${String(50 + (i % 50)).padStart(2, '0')}0101${String(1 + Math.floor(i / 50)).padStart(3, '0')}`
    return front + '10X98765432'[weights.reduce((sum, w, k) => sum + w * Number(front[k]), 0) % 11]
  }
  let stopped = 0
  for (let from = 0; from < 10000 && stopped < 500; from += 1000) {
    const batch = await system.post('/exchange/v1/ask:batch', { asks: Array.from({ length: 1000 }, (_, i) => one(number(from + i), '王伟')) })
    stopped += batch.json.items.filter((i) => /verify-budget/.test(i.problem?.type ?? '')).length
  }
  assert.ok(stopped >= 400, `${stopped}`)
  assert.match((await system.get('/metrics')).text + (await (await fetch(`${r.nodes['130000'].portal}/metrics`)).text()), /tonghui_verify_locked_total\{by="caller"\}/)
})

test('an identifier is brought to its stored form, or what is wrong with it is said', async () => {
  const anyone = r.client('110000')
  const check = (kind, value) => anyone.post('/records/v1/identifiers:check', { kind, value })
  const old = await check('citizen', '１１０１０３８５０６１５００１')
  assert.deepEqual([old.status, old.json.value.slice(0, 17), old.json.changes], [200, '11010319850615001', ['full-width', 'fifteen-digits']], old.text)
  assert.equal((await check('citizen', '11010519491231002x')).json.value, '11010519491231002X')
  for (const [kind, value, code] of [['citizen', '110105194912310021', 'check-digit'], ['citizen', '110105190002290021', 'birth'], ['citizen', '110105200102290021', 'birth'], ['citizen', '110105299901010021', 'birth'], ['citizen', '110105199013010021', 'birth'],
    ['uscc', '9144030O708461136T', 'character'], ['uscc', '110108012345678', 'registration-number'], ['uscc', '914403007084611301', 'check-digit'], ['organisation', '708461137', 'check-digit'],
    ['item', '1151130108778239R3000117112000', 'owner-short'], ['ecert', '1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.V', 'check-digit']])
    problem(await check(kind, value), 422, code)
  const doubtful = await check('uscc', '91110108MA0123456G')
  assert.deepEqual([doubtful.status, doubtful.json.doubtful], [200, true])
  problem(await check('passport', 'E1'), 400, 'enum')
})
