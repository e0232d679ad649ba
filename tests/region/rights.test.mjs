// What people may do beside applying: object, take back an agreement, withdraw at any time, ask for data, deal with an alarm, end a key.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Peer, uuid7 } from '../lib/peer.mjs'
import { Region, startCase, until } from '../lib/region.mjs'

let r
before(async () => {
  r = await Region.make()
  await r.startAll()
})
after(() => r?.close())

const shown = async (client, id) => (await client.get(`/cases/v1/cases/${id}`)).json
const answered = (client, id) => until('evidence', async () => {
  const c = await shown(client, id)
  return c.evidence.every((e) => e.state === 'answered') && c
})

test('a citizen objects to a look, and the case opens at the node that keeps the register', async () => {
  const citizen = await r.signedIn('120000', 'citizen')
  const { id } = (await startCase(citizen)).json
  await answered(citizen, id)
  const look = (await citizen.get('/exchange/v1/looks')).json.items.find((l) => l.provider.code === '110000' && l.register !== 'access-log')
  const form = { provider: '110000', message: look.message, reason: '我没有办理这件事', looked: 'degrees', at: look.at }
  const wrong = await citizen.post('/cases/v1/cases', { item: 'LOOK-OBJECTION', form: { ...form, provider: '999999' }, consents: [] })
  assert.equal(wrong.status, 400, wrong.text)
  assert.equal(wrong.json.errors[0].pointer, '/form/provider')
  const objection = await citizen.post('/cases/v1/cases', { item: 'LOOK-OBJECTION', form, consents: [] })
  assert.equal(objection.status, 201, objection.text)
  assert.equal(objection.json.owner.code, '110000')
  const clerk = await r.signedIn('110000', 'clerk')
  await until('arrival in Beijing', async () => (await clerk.get('/cases/v1/cases?view=worklist')).json.items.some((c) => c.id === objection.json.id))
  assert.equal((await shown(clerk, objection.json.id)).form.message, look.message)
  for (const [action, body] of [['accept', {}], ['decide', { outcome: 'approved', reason: '已核查' }], ['deliver', {}]])
    assert.equal((await clerk.post(`/cases/v1/cases/${objection.json.id}:${action}`, body)).status, 200)
  await until('the answer in Tianjin', async () => (await shown(citizen, objection.json.id)).state === 'delivered')
  const items = (await citizen.get('/government/v1/items')).json.items
  assert.ok(!items.some((i) => i.code === 'LOOK-OBJECTION'), 'it is begun from the list of looks, not looked for')
})

test('an objection to a look at the own node needs no way', async () => {
  const citizen = await r.signedIn('130000', 'citizen')
  const objection = await citizen.post('/cases/v1/cases', { item: 'LOOK-OBJECTION', form: { provider: '130000', message: '01990000-0000-7000-8000-000000000000', reason: 'x' }, consents: [] })
  assert.equal(objection.status, 201, objection.text)
  assert.equal(objection.json.state, 'received')
})

test('an agreement taken back is refused by its provider from then on; what was answered stands', async () => {
  const citizen = await r.signedIn('120000', 'citizen')
  const { id } = (await startCase(citizen)).json
  await answered(citizen, id)
  const auditor = await r.signedIn('120000', 'auditor')
  const asked = (await shown(citizen, id)).evidence.find((e) => e.id === 'degree').message
  const stored = JSON.parse((await auditor.get(`/exchange/v1/receipts/${asked}`)).json.message)
  const peer = new Peer(r, '120000')
  const again = async () => (await peer.ask('110000', [{ ...stored, id: uuid7() }])).lines[0].problem?.type ?? 'answered'
  assert.equal(await again(), 'answered')
  const other = await r.signedIn('130000', 'citizen')
  assert.equal((await other.post(`/cases/v1/cases/${id}:revoke`, { evidence: 'degree' })).status, 404)
  const taken = await citizen.post(`/cases/v1/cases/${id}:revoke`, { evidence: 'degree' })
  assert.equal(taken.status, 200, taken.text)
  const degree = taken.json.evidence.find((e) => e.id === 'degree')
  assert.ok(degree.consent.revoked)
  assert.deepEqual(degree.results, { name: 'match', level: 'match' })
  assert.equal((await citizen.post(`/cases/v1/cases/${id}:revoke`, { evidence: 'degree' })).status, 409)
  assert.ok(taken.json.events.some((e) => e.kind === 'consent_revoked'))
  await until('the provider to refuse it', async () => /consent-revoked$/.test(await again()))
})

test('an agreement taken back before its provider could be asked closes the question, at both ends', async () => {
  await r.stop('110000')
  const citizen = await r.signedIn('120000', 'citizen')
  const { id } = (await startCase(citizen)).json
  const taken = await citizen.post(`/cases/v1/cases/${id}:revoke`, { evidence: 'degree' })
  assert.equal(taken.status, 200, taken.text)
  await r.start('110000')
  const c = await until('hand-over without the degree', async () => {
    const now = await shown(citizen, id)
    return ['handed_over', 'received'].includes(now.state) && now
  }, 30000)
  const degree = c.evidence.find((e) => e.id === 'degree')
  assert.equal(degree.state, 'refused')
  assert.equal(degree.problem, 'consent-revoked')
})

test('a case can be withdrawn while it is still being verified, and nobody is asked any more', async () => {
  await r.stop('110000')
  const citizen = await r.signedIn('120000', 'citizen')
  const { id, actions } = (await startCase(citizen)).json
  assert.ok(actions.includes('withdraw'))
  const gone = await citizen.post(`/cases/v1/cases/${id}:withdraw`, { reason: '不办了' })
  assert.equal(gone.status, 200, gone.text)
  assert.equal(gone.json.state, 'withdrawn')
  assert.ok(gone.json.evidence.every((e) => e.state !== 'waiting' && e.state !== 'unreachable'))
  await r.start('110000')
  const clerk = await r.signedIn('130000', 'clerk')
  assert.ok(!(await clerk.get('/cases/v1/cases?view=all')).json.items.some((c) => c.id === id))
})

test('a withdrawal that crosses a decision gives way to it; both copies agree', async () => {
  const citizen = await r.signedIn('120000', 'citizen')
  const { id } = (await startCase(citizen)).json
  const clerk = await r.signedIn('130000', 'clerk')
  await until('arrival', async () => (await clerk.get('/cases/v1/cases?view=worklist')).json.items.some((c) => c.id === id))
  await until('both know', async () => (await shown(citizen, id)).state === 'received')
  await r.stop('120000')
  for (const [action, body] of [['accept', {}], ['decide', { outcome: 'approved' }]])
    assert.equal((await clerk.post(`/cases/v1/cases/${id}:${action}`, body)).status, 200)
  await r.stop('130000')
  await r.start('120000')
  const again = await r.signedIn('120000', 'citizen')
  assert.equal((await again.post(`/cases/v1/cases/${id}:withdraw`, { reason: '不办了' })).status, 200)
  await r.start('130000')
  const clerkAgain = await r.signedIn('130000', 'clerk')
  await until('agreement', async () => (await shown(again, id)).state === 'decided' && (await shown(clerkAgain, id)).state === 'decided', 30000)
})

test('an office asks another member for data; the answer comes back, and a grant with it', async () => {
  const asker = await r.signedIn('133100', 'operator')
  const path = '/records/v1/catalogue/register-degrees:request'
  const empty = await asker.post(path, { reason: '', fields: [] })
  assert.equal(empty.status, 400)
  assert.deepEqual(empty.json.errors.map((e) => e.pointer).toSorted(), ['/reason'])
  const wrong = await asker.post(path, { reason: '核验', fields: ['id_number'], provider: '999999' })
  assert.deepEqual(wrong.json.errors.map((e) => e.pointer).toSorted(), ['/fields/0', '/item', '/provider'])
  const sent = await asker.post(path, { reason: '安居资格核验', fields: ['name', 'major'], item: 'XA-HOUSING-RESERVE', provider: '110000' })
  assert.equal(sent.status, 200, sent.text)
  const id = sent.json.request
  const owner = await r.signedIn('110000', 'operator')
  const mine = await until('arrival', async () => (await owner.get('/records/v1/requests')).json.items.find((q) => q.id === id))
  assert.equal(mine.consumer, '133100')
  assert.ok(mine.title.zh)
  assert.equal((await asker.post(`/records/v1/requests/${id}:grant`, { reason: 'x' })).status, 404, 'only its owner grants')
  const granted = await owner.post(`/records/v1/requests/${id}:grant`, { reason: '依协议' })
  assert.equal(granted.status, 200, granted.text)
  await until('the answer', async () => (await asker.get('/records/v1/requests')).json.items.find((q) => q.id === id)?.state === 'granted')
  const grants = (await owner.get('/exchange/v1/grants')).json.items
  assert.deepEqual(grants.find((g) => g.id === `request-${id}`).fields, ['name', 'major'])
  const citizen = await r.signedIn('120000', 'citizen')
  assert.equal((await citizen.post(path, { reason: 'x', fields: ['name'], item: 'x' })).status, 403)
})

test('a key opens until it is revoked', async () => {
  const operator = await r.signedIn('130000', 'operator')
  const wrong = await operator.post('/people/v1/keys', { name: '社保系统', office: 'NOWHERE' })
  assert.equal(wrong.json.errors[0].pointer, '/office')
  const made = await operator.post('/people/v1/keys', { name: '社保系统', office: 'HE-HRSS' })
  assert.equal(made.status, 201, made.text)
  const system = r.client('130000')
  system.key = made.json.key
  const ask = () => system.post('/exchange/v1/ask', { provider: '110000', register: 'population', operation: 'verify', key: { id_number: '11010519491231002X' }, claims: { name: '不存在' }, purpose: { item: 'identity-check' } })
  assert.equal((await ask()).status, 200)
  const list = (await operator.get('/people/v1/keys')).json
  assert.equal(list.items[0].office.zh, '河北省人力资源和社会保障厅')
  assert.ok(!JSON.stringify(list).includes(made.json.key.split('_')[2]), 'the text is told once')
  assert.equal((await operator.post(`/people/v1/keys/${made.json.id}:revoke`)).status, 200)
  assert.equal((await ask()).status, 401)
  assert.equal((await operator.post(`/people/v1/keys/${made.json.id}:revoke`)).status, 404)
})

test('a person follows her own case and no other', async () => {
  const citizen = await r.signedIn('120000', 'citizen')
  const stranger = await r.signedIn('130000', 'citizen')
  const { id } = (await startCase(citizen)).json
  assert.equal((await stranger.get('/cases/v1/events')).status, 403)
  const other = r.client('120000')
  assert.equal((await other.get(`/cases/v1/cases/${id}/events`)).status, 401)
  const stop = new AbortController()
  const stream = await fetch(`${citizen.base}/cases/v1/cases/${id}/events`, { headers: { Cookie: citizen.cookie, Accept: 'text/event-stream' }, signal: stop.signal })
  let text = ''
  const reading = (async () => {
    for await (const piece of stream.body) text += new TextDecoder().decode(piece)
  })().catch(() => {})
  const second = (await startCase(citizen)).json.id
  await until('the other case to be handed over', async () => (await shown(citizen, second)).state === 'received')
  assert.equal((await citizen.post(`/cases/v1/cases/${id}:withdraw`, { reason: '不办了' })).status, 200)
  await until('an event of the case', async () => text.includes(id))
  stop.abort()
  await reading
  assert.ok(!text.includes(second), text)
})

test('an alarm stands until somebody says what was done', async () => {
  const skewed = await Region.make({ people: 50 })
  try {
    await skewed.startAll()
    const duty = await skewed.signedIn('110000', 'duty')
    assert.deepEqual((await duty.get('/exchange/v1/alarms')).json.items, [])
    /* A signed batch whose clock is twenty seconds behind is answered, and noticed. */
    const peer = new Peer(skewed, '120000')
    const alarm = await until('the alarm', async () => {
      const late = await peer.ask('110000', [peer.line('110000', 'heads', { heads: [] })], { created: Math.floor(Date.now() / 1000) - 20 })
      assert.equal(late.status, 200)
      return (await duty.get('/exchange/v1/alarms')).json.items[0]
    })
    assert.equal(alarm.kind, 'clock-skew')
    assert.equal(alarm.peer, '120000')
    const wall = (await duty.get('/operations/v1/wall')).json
    assert.ok(wall.attention.some((each) => each.peer === '120000' && /秒/.test(each.zh)), JSON.stringify(wall.attention))
    assert.equal((await duty.post(`/exchange/v1/alarms/${alarm.id}:handle`, { note: '' })).json.errors[0].pointer, '/note')
    assert.equal((await duty.post(`/exchange/v1/alarms/${alarm.id}:handle`, { note: '已校时' })).status, 200)
    assert.equal((await duty.post(`/exchange/v1/alarms/${alarm.id}:handle`, { note: '再来' })).status, 409)
    const handled = (await duty.get('/exchange/v1/alarms')).json.items.find((each) => each.id === alarm.id)
    assert.equal(handled.note, '已校时')
    assert.ok(!(await duty.get('/operations/v1/wall')).json.attention.some((each) => each.at === alarm.at))
  } finally {
    await skewed.close()
  }
})
