// case.mjs PORT-BASE: one case through a region that runs, over HTTP alone: started in Tianjin, verified in Beijing and Hebei, decided and delivered in Hebei.
import assert from 'node:assert/strict'
import { Client, password, sampleOf, startCase, until } from '../lib/region.mjs'

const base = Number(process.argv[2])
const citizen = new Client(`http://127.0.0.1:${base + 20}`)
const clerk = new Client(`http://127.0.0.1:${base + 30}`)
assert.equal((await citizen.signIn('citizen', password)).status, 200)
assert.equal((await clerk.signIn('clerk', password)).status, 200)
assert.ok((await sampleOf(citizen)).certificate_number)
const started = await startCase(citizen)
assert.equal(started.status, 201, started.text)
const { id } = started.json
await until('the case to arrive in Hebei', async () => (await clerk.get(`/cases/v1/cases/${id}`)).status === 200, 30000)
for (const [action, body] of [['accept', {}], ['decide', { outcome: 'approved' }], ['deliver', {}]]) {
  const acted = await clerk.post(`/cases/v1/cases/${id}:${action}`, body)
  assert.equal(acted.status, 200, acted.text)
}
await until('the timeline in Tianjin', async () => (await citizen.get(`/cases/v1/cases/${id}`)).json.state === 'delivered', 30000)
const page = await fetch(`http://127.0.0.1:${base + 20}/`, { headers: { Accept: 'text/html' } })
assert.match(await page.text(), /<div id="app"/)
