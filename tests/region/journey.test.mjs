// One journey from Tianjin to Hebei with the network cut at every arrow: whatever is done during a cut is acknowledged where it is done,
// the other side learns of it once when the link is back, and the clock goes by when it was done.
// TONGHUI_CUT_S: how long each cut lasts, 2 s here, a minute on demand.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { codes, Region, sleep, startCase, until } from '../lib/region.mjs'

const [beijing, tianjin, hebei] = ['110000', '120000', '130000']
const lasts = 1000 * Number(process.env.TONGHUI_CUT_S ?? 2)
let r, citizen, clerk, id
before(async () => {
  r = await Region.make({ proxied: true })
  await r.startAll()
  citizen = await r.signedIn(tianjin, 'citizen')
  clerk = await r.signedIn(hebei, 'clerk')
})
after(() => r?.close())

const here = async () => (await citizen.get(`/cases/v1/cases/${id}`)).json
const there = async () => {
  const answer = await clerk.get(`/cases/v1/cases/${id}`)
  return answer.status === 200 ? answer.json : null
}
const kinds = (c) => c.events.map((e) => e.kind)
/* The link between two members, in both directions. */
const cut = (a, b) => (r.proxies[a].cut(b), r.proxies[b].cut(a))
const heal = (a, b) => (r.proxies[a].heal(b), r.proxies[b].heal(a))
/* `act` is done and acknowledged while Tianjin and Hebei cannot reach each other; nothing crosses (`unseen`); afterwards it arrives (`seen`). */
async function across(what, act, unseen, seen) {
  cut(tianjin, hebei)
  await act()
  await sleep(lasts)
  assert.ok(await unseen(), `${what}: nothing crosses a cut link`)
  heal(tianjin, hebei)
  return until(`${what} on the other side`, seen, 60000)
}
const does = async (client, action, body = {}) => {
  const answer = await client.post(`/cases/v1/cases/${id}:${action}`, body)
  assert.equal(answer.status, 200, `${action}: ${answer.text}`)
  return answer.json
}

test('alone, Tianjin shows Hebei’s item as all members signed it', async () => {
  for (const other of codes.filter((code) => code !== tianjin)) cut(tianjin, other)
  const item = await citizen.get('/government/v1/items/HE-TALENT-CARD')
  assert.equal(item.status, 200, item.text)
  assert.deepEqual([item.json.owner.code, item.json.version], [hebei, 1])
  assert.equal((await citizen.get('/government/v1/lists/items')).status, 200)
})

test('begun with every link cut; verified as each comes back; the receipt is dated here', async () => {
  const started = await startCase(citizen)
  assert.equal(started.status, 201, started.text)
  id = started.json.id
  assert.deepEqual(kinds(started.json).slice(0, 1), ['submitted'])
  await sleep(lasts)
  assert.ok((await here()).evidence.every((e) => e.state !== 'answered'))
  heal(tianjin, beijing)
  heal(tianjin, '133100')
  await until('Beijing’s answer', async () => (await here()).evidence.find((e) => e.id === 'degree').state === 'answered')
  assert.notEqual((await here()).evidence.find((e) => e.id === 'household').state, 'answered')
  assert.equal(await there(), null)
  cut(tianjin, beijing) // Beijing has done its part
  heal(tianjin, hebei)
  const arrived = await until('the case in Hebei', there)
  heal(tianjin, beijing)
  assert.equal(arrived.state, 'received')
  assert.ok(arrived.evidence.every((e) => Object.values(e.results).every((x) => x === 'match')))
})

test('what is missing is told, and supplied, each behind a cut', async () => {
  await across('the letter', () => does(clerk, 'correct', { missing: '请补充用人单位证明' }), async () => (await here()).state !== 'correction', async () => (await here()).state === 'correction')
  await across('what was supplied', () => does(citizen, 'supply', { note: '已补充' }), async () => (await there()).state === 'correction', async () => (await there()).state === 'received')
})

test('accepted behind a cut: Tianjin shows Hebei’s clock', async () => {
  let accepted
  await across('the acceptance', async () => (accepted = await does(clerk, 'accept')), async () => (await here()).state !== 'accepted', async () => (await here()).state === 'accepted')
  const shown = await here()
  assert.deepEqual([shown.clock.state, shown.clock.promised_due, shown.clock.statutory_due], [accepted.clock.state, accepted.clock.promised_due, accepted.clock.statutory_due])
})

test('Beijing is asked and answers, behind cuts of its own', async () => {
  const asked = await r.signedIn(beijing, 'clerk')
  const question = async () => (await asked.get('/cases/v1/consults')).json.items.find((c) => c.case === id)
  cut(beijing, hebei)
  await does(clerk, 'consult', { member: beijing, question: '该校是否在名录内？' })
  await sleep(lasts)
  assert.equal(await question(), undefined)
  heal(beijing, hebei)
  const { consult } = await until('the question in Beijing', question, 60000)
  cut(beijing, hebei)
  const answered = await asked.post(`/cases/v1/cases/${id}/consults/${consult}:answer`, { opinion: 'agree', text: '在名录内' })
  assert.equal(answered.status, 200, answered.text)
  await sleep(lasts)
  assert.equal((await there()).state, 'consulting')
  heal(beijing, hebei)
  await until('the answer in Hebei', async () => (await there()).state === 'review', 60000)
})

test('decided behind a cut: the certificate exists at once, and lies in her wallet when the link is back', async () => {
  const wallet = async () => (await citizen.get('/certificates/v1/wallet')).json.items.filter((c) => c.case === id || c.issuer.code === hebei)
  await across('the decision', () => does(clerk, 'decide', { outcome: 'approved' }), async () => (await wallet()).length === 0 && (await here()).state !== 'decided', async () => (await here()).state === 'decided')
  assert.equal((await clerk.get('/certificates/v1/certificates')).json.items.filter((c) => c.case === id).length, 1)
  await until('the certificate in Tianjin', async () => (await wallet()).length === 1)
  await across('the delivery', () => does(clerk, 'deliver', { mode: 'electronic' }), async () => (await here()).state === 'decided', async () => (await here()).state === 'delivered')
})

test('rated behind a cut: both count one case and one rating', async () => {
  await across('the rating', () => does(citizen, 'rate', { level: 5 }), async () => !kinds(await there()).includes('rated'), async () => kinds(await there()).includes('rated'))
  const counted = (await clerk.get('/cases/v1/statistics')).json.items.find((i) => i.item === 'HE-TALENT-CARD')
  assert.deepEqual([counted.cases, counted.decided, counted.rated], [1, 1, 1])
})

test('each step happened once, in one order, at both ends; journals are whole', async () => {
  const both = ['corrected', 'supplied', 'accepted', 'consulted', 'consult_answered', 'decided', 'delivered', 'rated']
  await until('both copies to agree', async () => {
    const [a, b] = [kinds(await here()), kinds(await there())].map((all) => all.filter((k) => both.includes(k)))
    return a.join() === b.join()
  })
  const all = kinds(await there())
  for (const kind of ['received', 'accepted', 'decided', 'delivered', 'rated']) assert.equal(all.filter((k) => k === kind).length, 1, `${kind} of ${all}`)
  assert.equal(kinds(await here()).filter((k) => k === 'handed_over').length, 1)
  for (const code of codes) await r.stop(code)
  for (const code of codes) assert.equal(JSON.parse(r.run('journal', 'check', '--node', r.nodes[code].dir, '--json')).ok, true)
  assert.ok(JSON.parse(r.run('cases', 'check', '--node', r.nodes[hebei].dir, '--json')).ok)
})
