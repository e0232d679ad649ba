// Letters: what a step gives in writing, as a page: sealed where it happened, printed without a seal at the other end, for nobody else.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Region, startCase, until } from '../lib/region.mjs'

let r, citizen, clerk, id
const dir = mkdtempSync(join(tmpdir(), 'tonghui-letters-'))
before(async () => {
  r = await Region.make()
  await r.startAll()
  citizen = await r.signedIn('120000', 'citizen')
  clerk = await r.signedIn('130000', 'clerk')
  const started = await startCase(citizen)
  assert.equal(started.status, 201, started.text)
  id = started.json.id
  await until('arrival in Hebei', async () => (await clerk.get(`/cases/v1/cases/${id}`)).status === 200)
})
after(async () => {
  await r?.close()
  rmSync(dir, { recursive: true, force: true })
})
const does = async (action, body = {}) => {
  const answer = await clerk.post(`/cases/v1/cases/${id}:${action}`, body)
  assert.equal(answer.status, 200, answer.text)
}
const event = async (client, kind) => (await client.get(`/cases/v1/cases/${id}`)).json.events.find((e) => e.kind === kind)
async function letter(client, kind) {
  const { seq, letter: title } = await until(`the letter of ${kind}`, async () => event(client, kind))
  const answer = await fetch(`${client.base}/cases/v1/cases/${id}/letters/${seq}`, { headers: { Cookie: client.cookie } })
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('content-type'), 'application/pdf')
  const bytes = Buffer.from(await answer.arrayBuffer())
  const file = join(dir, `${kind}.pdf`)
  writeFileSync(file, bytes)
  const text = execFileSync('pdftotext', ['-layout', file, '-'], { encoding: 'utf8' }).replaceAll(/\s+/g, ' ')
  return { title, bytes, text, sealed: bytes.includes('/ByteRange') }
}

test('the deciding office seals its letters; the other node prints them without a seal and says so', async () => {
  await does('accept')
  const accepted = await letter(clerk, 'accepted')
  assert.equal(accepted.title.zh, '受理通知书')
  for (const words of ['受理通知书', '河北省人力资源和社会保障厅', '模拟数据', '电子签章']) assert.ok(accepted.text.includes(words), `${words} in ${accepted.text}`)
  assert.ok(accepted.sealed)
  const checked = await clerk.post('/certificates/v1/check', accepted.bytes, { 'Content-Type': 'application/pdf' })
  assert.notEqual(checked.json?.valid, true) // a letter is no certificate
  const copy = await letter(citizen, 'accepted')
  assert.ok(!copy.sealed && copy.text.includes('未加盖电子签章'), copy.text)
})

test('a refusal in writing: why, by which law, and where to appeal; nothing in its words is read as markup', async () => {
  const reason = '<b>不符合</b> & "条件" {applicant} =1+1'
  await does('decide', { outcome: 'refused', reason, law: '行政许可法第三十八条第二款' })
  await until('the decision', async () => event(clerk, 'decided'))
  const refused = await letter(clerk, 'decided')
  assert.equal(refused.title.zh, '不予决定书')
  assert.ok(refused.sealed && refused.text.includes('不予决定书'))
  for (const words of ['<b>不符合</b>', '{applicant}', '行政许可法第三十八条第二款', '60日内', '6个月内']) assert.ok(refused.text.replaceAll(' ', '').includes(words.replaceAll(' ', '')), `${words} in ${refused.text}`)
  assert.ok(refused.text.includes('60 days') && refused.text.includes('6 months'))
})

test('no letter of a step that makes none, of another number, or for another person', async () => {
  const { seq } = await event(clerk, 'received')
  const of = (client, n) => client.get(`/cases/v1/cases/${id}/letters/${n}`)
  for (const n of [seq, 9999, '-1', '1e3', '%00', '99999999999999999999']) {
    const answer = await of(clerk, n)
    assert.ok([400, 404].includes(answer.status), `${n}: ${answer.status}`)
    assert.ok(answer.json.title_zh && answer.json.title_en)
  }
  const { seq: decided } = await event(clerk, 'decided')
  assert.equal((await of(await r.signedIn('130000', 'citizen'), decided)).status, 404)
  assert.equal((await of(r.client('130000'), decided)).status, 401)
})
