// Effects on bad links: cuts of one link, connections that break, delay, a node alone. What was put arrives, once, in order, and soon after.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { codes, Region, sleep, startCase, until } from '../lib/region.mjs'

const [from, to, third] = ['120000', '130000', '110000']
let r, operator, there, citizen, clerk, system, company, local
before(async () => {
  r = await Region.make({ proxied: true })
  await r.startAll()
  operator = await r.signedIn(from, 'operator')
  there = await r.signedIn(to, 'operator')
  citizen = await r.signedIn(from, 'citizen')
  clerk = await r.signedIn(to, 'clerk')
  system = r.keyed(from)
  r.run('generate', join(r.dir, 'g'), '--code', third, '--region', r.regionDir, '--people', '200', '--seed', '20260101')
  company = JSON.parse(readFileSync(join(r.dir, 'g/legal-persons.jsonl'), 'utf8').split('\n')[0])
  r.run('generate', join(r.dir, 'h'), '--code', to, '--region', r.regionDir, '--people', '200', '--seed', '20260101')
  local = JSON.parse(readFileSync(join(r.dir, 'h/legal-persons.jsonl'), 'utf8').split('\n')[0])
})
after(() => r?.close())

/* An effect: a request for a dataset of the other member. */
const put = async (reason) => {
  const answer = await operator.post('/records/v1/catalogue/register-legal-persons:request', { provider: to, reason, fields: ['name'], item: 'business-check' })
  assert.equal(answer.status, 200, answer.text)
}
const arrived = async (prefix) => (await there.get('/records/v1/requests?limit=200')).json.items.filter((q) => q.reason.startsWith(prefix)).map((q) => q.reason)
const outbox = async (who = operator, peer = to) => (await who.get('/exchange/v1/links')).json.items.find((l) => l.peer === peer).outbox
const ask = (provider, more) => system.post('/exchange/v1/ask', { provider, register: 'legal-persons', operation: 'verify', key: { uscc: company.uscc }, claims: { name: company.name }, purpose: { item: 'business-check' }, ...more })
const shown = async (client, id) => (await client.get(`/cases/v1/cases/${id}`)).json

test('one link is cut: effects wait, are tried ever more rarely and at uneven times, other links go on, and all arrive once in order when it is back', async () => {
  const proxy = r.proxies[to]
  proxy.cut(from)
  const n = 40
  for (let i = 0; i < n; i++) await put(`cut ${String(i).padStart(3, '0')}`)
  const waiting = await outbox()
  assert.deepEqual([waiting.waiting, waiting.dead], [n, 0])
  assert.ok(Date.now() - Date.parse(waiting.oldest) < 20000)
  await until('the backlog as a metric', async () => new RegExp(`tonghui_outbox_waiting\\{peer="${to}"\\} ${n}\\n`).test((await r.client(from).get('/metrics')).text))
  await sleep(9000)
  assert.equal((await ask(third)).status, 200)
  assert.deepEqual(await arrived('cut'), [])
  // Only the link's own tries: the wall's once-a-second look at its neighbours goes over the same wire, refused at the same door.
  assert.equal((await outbox()).waiting, n)
  const failures = async () => (await operator.get('/exchange/v1/links')).json.items.find((l) => l.peer === to).failures
  const a = await failures()
  await sleep(5000)
  const b = await failures()
  assert.ok(b - a <= 4, `after a while every few seconds: ${b - a} in five`)
  await until('another try', async () => (await failures()) > a)
  const healed = Date.now()
  proxy.heal(from)
  await until('all to arrive', async () => (await arrived('cut')).length === n)
  assert.ok(Date.now() - healed < 8000, `${Date.now() - healed} ms`)
  const order = (await there.get('/records/v1/requests?limit=200')).json.items.filter((q) => q.reason.startsWith('cut')).toSorted((x, y) => (x.id < y.id ? -1 : 1)).map((q) => q.reason)
  assert.deepEqual(order, order.toSorted())
  assert.deepEqual(new Set(order).size, n)
  await until('an empty outbox', async () => (await outbox()).waiting === 0)
})

test('a backlog is drained within seconds of the link\'s return', async () => {
  r.proxies[to].cut(from)
  const n = 400
  for (let i = 0; i < n; i += 20) await Promise.all(Array.from({ length: 20 }, (_, k) => put(`flood ${i + k}`)))
  assert.equal((await outbox()).waiting, n)
  r.proxies[to].heal(from)
  const healed = Date.now()
  await until('an empty outbox', async () => (await outbox()).waiting === 0)
  assert.ok(Date.now() - healed < 10000, `${Date.now() - healed} ms`)
  assert.equal((await outbox()).dead, 0)
})

test('events of one case made while the link was cut come in their order', async () => {
  const started = await startCase(citizen)
  assert.equal(started.status, 201, started.text)
  const { id } = started.json
  await until('arrival', async () => (await shown(clerk, id)).state === 'received')
  await until('the news of it', async () => (await shown(citizen, id)).events.some((e) => e.kind === 'received'))
  r.proxies[from].cut(to)
  for (const [action, body] of [['accept', {}], ['decide', { outcome: 'approved' }], ['deliver', {}]]) {
    const acted = await clerk.post(`/cases/v1/cases/${id}:${action}`, body)
    assert.equal(acted.status, 200, acted.text)
  }
  await sleep(700)
  assert.notEqual((await shown(citizen, id)).state, 'delivered')
  r.proxies[from].heal(to)
  const here = await until('the end', async () => {
    const c = await shown(citizen, id)
    return c.state === 'delivered' && c
  })
  const kinds = here.events.map((e) => e.kind).filter((k) => ['received', 'accepted', 'decided', 'delivered'].includes(k))
  assert.deepEqual(kinds, ['received', 'accepted', 'decided', 'delivered'])
})

test('connections that break again and again: every effect once, every ask answered or told', async () => {
  const breaking = setInterval(() => r.proxies[to].drop(from), 40)
  const n = 60
  const asked = []
  for (let i = 0; i < n; i++) {
    await put(`break ${i}`)
    if (i % 6 === 0) asked.push(ask(to, { key: { uscc: local.uscc }, claims: { name: local.name } }))
    await sleep(15)
  }
  clearInterval(breaking)
  for (const answer of await Promise.all(asked)) assert.ok(answer.status === 200 || /peer-unavailable$/.test(answer.json.type), answer.text)
  await until('an empty outbox', async () => (await outbox()).waiting === 0)
  const all = await until('all to arrive', async () => {
    const list = await arrived('break')
    return list.length >= n && list
  })
  assert.equal(all.length, n)
  assert.equal(new Set(all).size, n)
})

test('a slow link: asks gather into few batches, and every one is answered', async () => {
  r.proxies[third].rules[from] = { delay: 150 }
  const batches = async () => (await operator.get('/exchange/v1/links')).json.items.find((l) => l.peer === third)
  await ask(third)
  const before_ = await batches()
  const answers = await Promise.all(Array.from({ length: 120 }, () => ask(third)))
  assert.ok(answers.every((a) => a.status === 200))
  const after_ = await batches()
  assert.ok(after_.messages - before_.messages >= 120)
  assert.ok(after_.batches - before_.batches <= 20, `${after_.batches - before_.batches} batches`)
  assert.ok(after_.round_trip_us >= 300000, String(after_.round_trip_us))
  r.proxies[third].heal(from)
})

test('a node alone: the others go on among themselves, and it catches up in both directions', async () => {
  const alone = to
  r.proxies[alone].cut()
  for (const code of codes) if (code !== alone) r.proxies[code].cut(alone)
  assert.equal((await ask(third)).status, 200)
  const refused = await ask(alone)
  assert.equal(refused.status, 503)
  const started = await startCase(citizen, 'HE-TALENT-CARD')
  assert.equal(started.status, 201, 'people are served, whatever the network does')
  await put('alone 1')
  const own = await there.post('/records/v1/catalogue/register-legal-persons:request', { provider: from, reason: 'from alone', fields: ['name'], item: 'business-check' })
  assert.equal(own.status, 200)
  await sleep(1500)
  assert.equal((await outbox(there, from)).waiting, 1)
  r.proxies[alone].heal()
  for (const code of codes) r.proxies[code].heal(alone)
  await until('its case', async () => (await shown(clerk, started.json.id)).state === 'received')
  await until('our effect there', async () => (await arrived('alone')).length === 1)
  await until('its effect here', async () => (await operator.get('/records/v1/requests?limit=200')).json.items.some((q) => q.reason === 'from alone'))
})

test('every journal is whole', async () => {
  for (const code of codes) {
    await r.stop(code)
    assert.equal(JSON.parse(r.run('journal', 'check', '--node', r.nodes[code].dir, '--json')).ok, true)
  }
})
