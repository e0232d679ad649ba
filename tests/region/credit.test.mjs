// Credit between real processes: lists of the law and nothing else, effects inside the case, repair that reaches every copy.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { codes, Region, sampleOf, until } from '../lib/region.mjs'

let r, citizen, clerk, heads, companies
before(async () => {
  r = await Region.make({
    edit: (dir) => {
      const file = join(dir, 'items/HE-TALENT-CARD.json')
      const item = JSON.parse(readFileSync(file, 'utf8'))
      item.form.properties.uscc = { type: 'string', title: '用人单位代码', 'x-en': 'Employer code', maxLength: 18 }
      for (const id of ['contract', 'roster', 'plan']) item.materials.push({ id, title: { zh: id, en: id }, obtain: 'upload' })
      writeFileSync(file, JSON.stringify(item))
    },
  })
  await r.startAll()
  citizen = await r.signedIn('120000', 'citizen')
  clerk = await r.signedIn('130000', 'clerk')
  heads = {}
  for (const code of codes) heads[code] = await r.signedIn(code, 'head')
  companies = ['110000', '120000', '130000'].flatMap((code) => {
    r.run('generate', join(r.dir, code), '--code', code, '--region', r.regionDir, '--people', '200', '--seed', '20260101')
    return readFileSync(join(r.dir, code, 'legal-persons.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line))
  })
})
after(() => r?.close())

const said = (answer) => [answer.json?.type, ...(answer.json?.errors ?? []).map((e) => e.code)].join(' ')
const daysAgo = (n) => new Date(Date.now() + 8 * 3600e3 - n * 86400e3).toISOString().slice(0, 10)
let doc = 0
const publish = (code, list, company, change = {}) =>
  heads[code].post('/credit/v1/records', { subject: company.uscc, name: company.name, list, fact: '演示事实', doc_no: `演示〔2026〕${++doc}号`, doc_date: daysAgo(10), ...change })
const step = (code, id, action, body = { reason: '依据核查结果' }) => heads[code].post(`/credit/v1/records/${id}:${action}`, body)
const spread = (code) => until(`copies of ${code}`, async () => (await heads[code].get('/credit/v1/propagation')).json.copies_not_updated === 0)
async function waits(company) {
  const form = { ...(await sampleOf(citizen)), uscc: company.uscc }
  const started = await citizen.post('/cases/v1/cases', { item: 'HE-TALENT-CARD', form, consents: ['degree', 'household'] })
  assert.equal(started.status, 201, started.text)
  return started.json.id
}
const defer = (id, code) => citizen.post(`/cases/v1/cases/${id}/materials`, { code, defer: true })

test('a record reaches every member, each says so, and all hold the same', async () => {
  const made = await publish('110000', 'tax-a', companies[0])
  assert.equal(made.status, 201, made.text)
  await spread('110000')
  for (const code of codes) {
    const seen = (await r.client(code).get(`/credit/v1/subjects/${companies[0].uscc}`)).json.records
    assert.equal(seen.length, 1)
    assert.equal(seen[0].owner, '110000')
    assert.ok(seen[0].law.zh)
  }
  const digests = await Promise.all(codes.map(async (code) => (await heads[code].get('/credit/v1/propagation')).json.digest))
  assert.equal(new Set(digests).size, 1)
})

test('an incentive of Beijing lets two papers follow later in a case of Hebei, and is noted there with its law', async () => {
  const id = await waits(companies[0])
  for (const code of ['contract', 'roster']) assert.equal((await defer(id, code)).status, 200)
  assert.match(said(await defer(id, 'plan')), /no-deferral/)
  const other = await waits(companies[1])
  assert.match(said(await defer(other, 'contract')), /no-deferral/)
  const paper = Buffer.from('%PDF-1.7\nplan\n%%EOF\n')
  const { createHash } = await import('node:crypto')
  await citizen.post(`/cases/v1/cases/${id}/materials`, { code: 'plan', name: 'plan.pdf', mime: 'application/pdf', size: paper.length, sha256: createHash('sha256').update(paper).digest('hex') })
  await citizen.call('PUT', `/cases/v1/cases/${id}/materials/plan?offset=0`, paper, { 'Content-Type': 'application/octet-stream' })
  await until('arrival', async () => (await clerk.get(`/cases/v1/cases/${id}`)).status === 200)
  assert.equal((await clerk.post(`/cases/v1/cases/${id}:accept`)).status, 200)
  const noted = await until('the note in Tianjin', async () => (await citizen.get(`/cases/v1/cases/${id}`)).json.events.find((e) => e.kind === 'credit'))
  assert.deepEqual(noted.detail.effects.map((e) => e.effect).toSorted(), ['defer_materials', 'fast_lane'])
  assert.ok(noted.detail.effects.every((e) => e.law.zh && e.law.en))
})

test('a serious list withholds a grant; an objection rests it; repair comes not before its time and lifts it everywhere', { timeout: 90000 }, async () => {
  const company = companies[2]
  const made = await publish('120000', 'safety-serious', company, { doc_date: daysAgo(400) })
  assert.equal(made.status, 201, made.text)
  const record = made.json.id
  await publish('110000', 'tax-a', company)
  await spread('120000')
  await spread('110000')
  const id = await waits(company)
  for (const code of ['contract', 'roster']) await defer(id, code)
  const paper = Buffer.from('%PDF-1.7\n\n%%EOF\n')
  const { createHash } = await import('node:crypto')
  for (const code of ['contract', 'roster', 'plan']) {
    await citizen.post(`/cases/v1/cases/${id}/materials`, { code, name: `${code}.pdf`, mime: 'application/pdf', size: paper.length, sha256: createHash('sha256').update(paper).digest('hex') })
    await citizen.call('PUT', `/cases/v1/cases/${id}/materials/${code}?offset=0`, paper, { 'Content-Type': 'application/octet-stream' })
  }
  await until('the papers in Hebei', async () => (await clerk.get(`/cases/v1/cases/${id}`)).json.materials?.filter((m) => m.state === 'here').length === 3)
  assert.equal((await clerk.post(`/cases/v1/cases/${id}:accept`)).status, 200)
  const withheld = await clerk.post(`/cases/v1/cases/${id}:decide`, { outcome: 'approved' })
  assert.equal(withheld.status, 409)
  assert.match(said(withheld), /credit-denied/)
  assert.match(withheld.json.title_zh, /安全生产/)
  assert.equal((await step('120000', record, 'object')).status, 200)
  await spread('120000')
  assert.equal((await r.client('130000').get(`/credit/v1/subjects/${company.uscc}`)).json.records.some((x) => x.list === 'safety-serious'), false)
  assert.equal((await step('120000', record, 'reject-objection')).status, 200)
  assert.match(said(await step('110000', record, 'repair')), /not-the-owner/)
  assert.equal((await step('120000', record, 'repair', { reason: '已整改', proof: '验收意见', commitment: '承诺书' })).status, 200)
  const desk = await r.signedIn('120000', 'clerk')
  assert.match(said(await desk.post(`/credit/v1/records/${record}:grant-repair`, { reason: 'x' })), /not-yours-to-do/)
  // A member is away while the repair is granted: the dashboard says so until it is back.
  await r.stop('133100')
  assert.equal((await step('120000', record, 'grant-repair')).status, 200)
  await until('the others', async () => (await heads['120000'].get('/credit/v1/propagation')).json.copies_not_updated === 1)
  await r.start('133100')
  heads['133100'] = await r.signedIn('133100', 'head')
  await spread('120000')
  assert.equal((await clerk.post(`/cases/v1/cases/${id}:decide`, { outcome: 'approved' })).status, 200)
  const dates = { doc_no: made.json.doc_no, doc_date: daysAgo(400) }
  assert.match(said(await publish('120000', 'safety-serious', company, dates)), /credit-tombstone/)
  assert.match(said(await step('120000', record, 'grant-repair')), /credit-state/)
})

test('no list without a law, no record without a document, no person, no foreign list, no early repair', async () => {
  const company = companies[3]
  assert.match(said(await publish('110000', 'citizen-score', company)), /no-list/)
  assert.match(said(await publish('110000', 'tax-a', company, { doc_no: '' })), /required|empty/)
  assert.match(said(await publish('110000', 'tax-a', { ...company, uscc: '11010519491231002X' })), /uscc/)
  assert.match(said(await publish('110000', 'tax-a', company, { doc_date: '2999-01-01' })), /date/)
  assert.match(said(await publish('130000', 'customs-aeo', company)), /not-the-recogniser/)
  const made = await publish('110000', 'abnormal', company)
  assert.match(said(await step('110000', made.json.id, 'repair')), /repair-too-early/)
  assert.match(said(await publish('110000', 'abnormal', company, { doc_no: made.json.doc_no })), /credit-exists/)
  const good = await publish('110000', 'tax-a', company)
  assert.match(said(await step('110000', good.json.id, 'repair')), /credit-state/)
  assert.equal((await citizen.post('/credit/v1/records', {})).status, 403)
  // Long over: it ends by itself and is published no more.
  const old = await publish('110000', 'abnormal', company, { doc_date: daysAgo(800) })
  assert.equal(old.json.state, 'ended')
  assert.equal((await r.client('110000').get(`/credit/v1/subjects/${company.uscc}`)).json.records.some((x) => x.id === old.json.id), false)
})
