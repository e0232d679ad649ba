// Registers that stay where they are: an existing PostgreSQL database behind a configured query, and an HTTP upstream, each in a process of its
// own. Answers are proved and journaled like any other; what is away is said to be away, and comes back by itself.
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { createServer } from 'node:http'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { binary, Region, until } from '../lib/region.mjs'

const uri = process.env.TONGHUI_TEST_PG
const [provider, consumer] = ['130000', '110000']
let r, system, database, upstream, heard, act
before(async () => {
  r = await Region.make()
  await r.startAll()
  system = r.keyed(consumer)
})
after(async () => {
  upstream?.closeAllConnections()
  upstream?.close()
  await r?.close()
  if (database) execFileSync('psql', [uri, '-qc', `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`])
})
const ask = (register, key, more) => system.post('/exchange/v1/ask', { provider, register, operation: 'verify', key, purpose: { item: register === 'population' ? 'identity-check' : 'business-check' }, deadline_ms: 8000, ...more })
const source = (json) => {
  writeFileSync(join(r.dir, 'source.json'), JSON.stringify(json))
  r.run('register', 'source', join(r.dir, 'source.json'), '--node', r.nodes[provider].dir)
}
/* Which source a register has now: looked at where it costs nobody a guess. */
const isFrom = (register, kind) => until(`${register} to come from ${kind}`, async () => (await (await r.signedIn(provider, 'operator')).get('/records/v1/registers')).json.items.find((x) => x.name === register).source === kind)
const person = { id_number: '11010519491231002X', name: "O'Brien", household_region: '130000', status: 'normal' }

test('an existing PostgreSQL database is asked by its own query, and nothing else is done to it', { skip: !uri && 'no PostgreSQL is running' }, async () => {
  database = `city_${process.pid}`
  const sql = (text, to = uri.replace('/postgres?', `/${database}?`)) => execFileSync('psql', [to, '-qAtc', text], { encoding: 'utf8' })
  sql(`CREATE DATABASE ${database}`, uri)
  // As a city has it: other names of columns, a view of its own, a function that counts who asks.
  sql(`CREATE TABLE rkk (sfzh TEXT PRIMARY KEY, xm TEXT, hjd TEXT, zt BOOLEAN); CREATE SEQUENCE looked;
       INSERT INTO rkk VALUES ('${person.id_number}', '${person.name.replaceAll("'", "''")}', '130000', true)`)
  source({
    register: 'population',
    source: 'sql',
    database: uri.replace('/postgres?', `/${database}?`),
    verify_query: "SELECT xm, hjd, CASE WHEN zt THEN 'normal' ELSE 'cancelled' END FROM rkk WHERE sfzh = ?1",
    columns: ['name', 'household_region', 'status'],
  })
  const key = { id_number: person.id_number }
  await isFrom('population', 'sql')
  const answer = await ask('population', key, { claims: { name: person.name, status: 'cancelled' } })
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual(answer.json.results, { name: 'match', status: 'mismatch' })
  const file = join(r.dir, 'receipt.json')
  writeFileSync(file, JSON.stringify(answer.json.receipt))
  assert.equal(JSON.parse(r.run('receipt', 'verify', file, '--trust', r.trustFile, '--json')).valid, true)
  // What is asked is a value, never a piece of the query.
  const injected = await ask('population', key, { claims: { name: "O' OR 'Brien" } })
  assert.deepEqual(injected.json.results, { name: 'mismatch' })
  assert.equal(sql('SELECT count(*) FROM rkk').trim(), '1')
  // A change in the city's own database shows at once: nothing was copied.
  sql('UPDATE rkk SET zt = false')
  assert.deepEqual((await ask('population', key, { claims: { status: 'cancelled' } })).json.results, { status: 'match' })
  const nobody = await ask('population', { id_number: '440524188001010014' }, { claims: { name: 'x' } })
  assert.deepEqual(nobody.json.results, { name: 'mismatch' })
})

test('the database goes away and comes back: unavailable meanwhile, and the node starts without it', { skip: !uri && 'no PostgreSQL is running' }, async () => {
  const key = { id_number: person.id_number }
  execFileSync('psql', [uri, '-qc', `ALTER DATABASE ${database} ALLOW_CONNECTIONS false`, '-c', `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}'`], { stdio: 'ignore' })
  const away = await ask('population', key, { claims: { status: 'cancelled' } })
  assert.equal(away.status, 503, away.text)
  await r.stop(provider)
  await r.start(provider)
  assert.equal((await ask('population', key, { claims: { status: 'cancelled' } })).status, 503)
  const company = await companyOf()
  assert.deepEqual((await ask('legal-persons', { uscc: company.uscc }, { claims: { name: company.name } })).json.results, { name: 'match' }, 'other registers go on')
  execFileSync('psql', [uri, '-qc', `ALTER DATABASE ${database} ALLOW_CONNECTIONS true`])
  const back = await until('its answer', async () => {
    const a = await ask('population', key, { claims: { status: 'cancelled' } })
    return a.status === 200 && a
  }).catch((e) => assert.fail(`${e} ${r.nodes[provider].log.slice(-1500)}`))
  assert.deepEqual(back.json.results, { status: 'match' })
})

let companies
function companyOf(i = 0) {
  if (!companies) {
    r.run('generate', join(r.dir, 'g'), '--code', provider, '--region', r.regionDir, '--people', '200', '--seed', '20260101')
    companies = readFileSync(join(r.dir, 'g/legal-persons.jsonl'), 'utf8').trim().split('\n').map((l) => JSON.parse(l))
  }
  return companies[i]
}

test('an HTTP upstream is asked for each look, with its own authorisation, and is believed only as far as it makes sense', async () => {
  const company = companyOf()
  heard = []
  upstream = createServer((request, response) => {
    heard.push([request.method, request.url, request.headers.authorization])
    act(request, response)
  })
  await new Promise((done) => upstream.listen(0, '127.0.0.1', done))
  const json = (body) => (q, s) => s.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
  act = json({ uscc: company.uscc, name: '上游所知的名称', status: 'existing', region: '130000' })
  source({ register: 'legal-persons', source: 'http', url: `http://127.0.0.1:${upstream.address().port}/ent/{uscc}?view=full`, authorization: 'Bearer of-the-node' })
  const look = (claims) => ask('legal-persons', { uscc: company.uscc }, { claims })
  await isFrom('legal-persons', 'http')
  const answer = await look({ name: '上游所知的名称', status: 'revoked' })
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual(answer.json.results, { name: 'match', status: 'mismatch' })
  assert.deepEqual(heard.at(-1), ['GET', `/ent/${company.uscc}?view=full`, 'Bearer of-the-node'])
  act = (q, s) => s.writeHead(404).end()
  assert.deepEqual((await look({ name: company.name })).json.results, { name: 'no_record' }, 'of companies it may be said that there is none')
  for (const wrong of [(q, s) => s.writeHead(500).end(), (q, s) => s.end('<html>'), (q, s) => s.end('[]'), (q, s) => s.destroy(), (q, s) => s.writeHead(302, { Location: '/elsewhere' }).end(), (q, s) => s.end(JSON.stringify({ name: 'x'.repeat(100000) }))]) {
    act = wrong
    const refused = await look({ status: 'existing' })
    assert.equal(refused.status, 503, `${wrong} ${refused.text}`)
  }
  const begun = Date.now()
  act = () => {}
  assert.equal((await look({ status: 'existing' })).status, 503, 'one that never answers')
  assert.ok(Date.now() - begun < 7000)
  const tried = heard.length
  assert.equal((await look({ status: 'existing' })).status, 503)
  assert.equal(heard.length, tried, 'one that hung is left alone for a moment')
  act = json({ uscc: company.uscc, name: company.name, status: 'existing', region: '130000' })
  const again = await until('it to be asked again', async () => {
    const a = await look({ name: company.name })
    return a.status === 200 && a
  })
  assert.deepEqual(again.json.results, { name: 'match' })
})

test('an upstream that hangs holds up nobody but those who ask it, and a whole batch of them no longer than one', async () => {
  source({ register: 'population', source: 'local' })
  await isFrom('population', 'local')
  act = () => {}
  const other = r.keyed('120000')
  const company = companyOf()
  const purpose = { item: 'business-check' }
  const slow = { provider, register: 'legal-persons', operation: 'verify', key: { uscc: company.uscc }, claims: { name: company.name }, purpose }
  const quick = () => other.post('/exchange/v1/ask', { provider, register: 'population', operation: 'verify', key: { id_number: '440524188001010014' }, claims: { name: '无人' }, purpose: { item: 'identity-check' }, deadline_ms: 3000 })
  const begun = Date.now()
  const batches = [system, r.keyed('133100')].flatMap((from) =>
    Array.from({ length: 4 }, () => from.post('/exchange/v1/ask:batch', { asks: Array.from({ length: 100 }, () => ({ ...slow, deadline_ms: 9000 })) })),
  )
  await new Promise((done) => setTimeout(done, 300))
  for (let i = 0; i < 20; i++) {
    const at = Date.now()
    const said = await quick()
    assert.ok([200, 429].includes(said.status), said.text) // nobody of that number, and too many tries soon: both are the provider's answers
    assert.ok(Date.now() - at < 1500, `${Date.now() - at} ms while others wait for an upstream`)
  }
  for (const batch of await Promise.all(batches)) {
    assert.equal(batch.status, 200, batch.text)
    for (const item of batch.json.items) assert.equal(item.problem?.status ?? item.status, 503, JSON.stringify(item))
  }
  assert.ok(Date.now() - begun < 9000, `${Date.now() - begun} ms`)
  act = (q, s) => s.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ uscc: company.uscc, name: company.name }))
  await until('the upstream to be asked again', async () => (await ask('legal-persons', { uscc: company.uscc }, { claims: { name: company.name } })).status === 200, 40000)
})

test('set anew again and again while it is asked: every look is answered, by the one or the other', async () => {
  const company = companyOf()
  const files = ['one', 'two', 'none'].map((name) => join(r.dir, `source-${name}.json`))
  const url = `http://127.0.0.1:${upstream.address().port}`
  files.forEach((file, i) => writeFileSync(file, JSON.stringify({ register: 'legal-persons', ...(i < 2 ? { source: 'http', url: `${url}/${i}/{uscc}` } : { source: 'local' }) })))
  act = (q, s) => setTimeout(() => s.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ uscc: company.uscc, name: company.name })), 20)
  let changing = true
  const asking = Array.from({ length: 4 }, async () => {
    for (let n = 0; ; n++) {
      if (!changing) return n
      const answer = await ask('legal-persons', { uscc: company.uscc }, { claims: { name: company.name } })
      assert.equal(answer.status, 200, answer.text)
      assert.deepEqual(answer.json.results, { name: 'match' })
    }
  })
  for (let i = 0; i < 12; i++) await promisify(execFile)(binary, ['register', 'source', files[i % 3], '--node', r.nodes[provider].dir])
  changing = false
  for (const n of await Promise.all(asking)) assert.ok(n > 3, `${n} looks`)
})

test('back to a local register: what was imported is there', async () => {
  source({ register: 'legal-persons', source: 'local' })
  const company = companyOf()
  const before_ = heard.length
  await isFrom('legal-persons', 'local')
  assert.deepEqual((await ask('legal-persons', { uscc: company.uscc }, { claims: { name: company.name } })).json.results, { name: 'match' })
  assert.equal(heard.length, before_)
})
