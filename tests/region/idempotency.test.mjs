// A write that is sent twice happens once, and both senders hear the same answer, also over kill -9.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Region, sampleOf, sleep } from '../lib/region.mjs'

let r, citizen, body
before(async () => {
  r = await Region.make()
  await r.startAll()
  citizen = await r.signedIn('120000', 'citizen')
  body = { item: 'HE-TALENT-CARD', form: await sampleOf(citizen), consents: ['degree', 'household'] }
})
after(() => r?.close())
const start = (key, change = {}) => citizen.post('/cases/v1/cases', { ...body, ...change }, { 'Idempotency-Key': key })
const mine = async () => (await citizen.get('/cases/v1/cases?view=mine&limit=200')).json.items

test('the same key gives the first answer, and one case', async () => {
  const [first, second] = [await start('k-1'), await start('k-1')]
  assert.equal(first.status, 201, first.text)
  assert.equal(second.status, 201)
  assert.equal(second.text, first.text)
  assert.equal(second.headers.get('idempotency-replayed'), 'true')
  assert.equal((await mine()).length, 1)
  // Many at once: one is carried out, the others hear its answer or that it is being worked on.
  const many = await Promise.all(Array.from({ length: 12 }, () => start('k-2')))
  assert.equal(new Set(many.filter((a) => a.status === 201).map((a) => a.json.id)).size, 1)
  assert.ok(many.every((a) => a.status === 201 || /idempotency-running/.test(a.json.type)), many.map((a) => a.status).join())
  assert.equal((await mine()).length, 2)
})

test('the same key for something else is refused; a refusal is repeated; keys are each person’s own', async () => {
  const other = await start('k-1', { form: { ...body.form, employer: '别处' } })
  assert.equal(other.status, 422)
  assert.match(other.json.type, /idempotency-mismatch/)
  const [bad, again] = [await start('k-3', { item: 'NO-SUCH' }), await start('k-3', { item: 'NO-SUCH' })]
  assert.equal(bad.status, 400)
  assert.equal(again.text, bad.text)
  for (const key of ['', 'x'.repeat(129)]) assert.equal((await start(key)).status, 400)
  const clerk = await r.signedIn('120000', 'clerk')
  const theirs = await clerk.post('/cases/v1/cases', body, { 'Idempotency-Key': 'k-1' })
  assert.notEqual(theirs.headers.get('idempotency-replayed'), 'true')
})

test('the node dies somewhere in between: a retry never makes a second case', { timeout: 120000 }, async () => {
  for (let round = 0; round < 8; round++) {
    const before_ = new Set((await mine()).map((c) => c.id))
    const key = `kill-${round}`
    const asked = start(key).catch(() => null)
    await sleep(round * 2)
    await r.stop('120000', 'SIGKILL')
    await asked
    await r.start('120000')
    citizen = await r.signedIn('120000', 'citizen')
    const retried = await start(key)
    const made = (await mine()).filter((c) => !before_.has(c.id))
    assert.ok(made.length <= 1, `${made.length} cases of one request`)
    if (retried.status === 201) assert.equal(made.length, 1)
    else assert.match(retried.json.type, /idempotency-unknown/, retried.text)
  }
})
