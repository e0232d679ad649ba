// Bodies of messages name people and go when their time is over; the journal's proof of them stays.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Region, startCase, until } from '../lib/region.mjs'

let r
before(async () => {
  r = await Region.make()
  await r.startAll()
})
after(() => r?.close())

test('forty days later the provider keeps the receipt of a look and nothing of what was asked', async () => {
  const citizen = await r.signedIn('120000', 'citizen')
  const started = await startCase(citizen)
  assert.equal(started.status, 201, started.text)
  const message = await until('the degree to be verified', async () => {
    const c = (await citizen.get(`/cases/v1/cases/${started.json.id}`)).json
    return c.evidence.every((e) => e.state === 'answered') && c.evidence[0].message
  })
  const kept = async () => (await (await r.signedIn('110000', 'auditor')).get(`/exchange/v1/receipts/${message}`)).json
  const young = await kept()
  assert.equal(young.direction, 'answered')
  assert.ok(young.message.includes('id_number') && young.answer.includes('match'))
  await r.stop('110000')
  await r.start('110000', { env: { LD_PRELOAD: '/usr/$LIB/faketime/libfaketime.so.1', FAKETIME: '+40d' } })
  // After a week the id is forgotten; the citizen's own view still leads to the entry.
  await until('the bodies to be erased', async () => !(await kept()).message)
  await r.stop('110000')
  await r.start('110000')
  const looks = await until('the look', async () => (await citizen.get('/exchange/v1/looks')).json.items.find((l) => l.message === message))
  const file = join(r.dir, 'receipt.json')
  writeFileSync(file, JSON.stringify(looks.receipt))
  assert.equal(JSON.parse(r.run('receipt', 'verify', file, '--trust', r.trustFile, '--json')).valid, true)
})
