// The product's main job between real processes: a case started in Tianjin, verified in Beijing and Hebei, decided in Hebei, seen by the
// citizen; and asking through one plain call.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Region, sampleOf, startCase, until } from '../lib/region.mjs'

let r
before(async () => {
  r = await Region.make()
  await r.startAll()
})
after(() => r?.close())

const shown = async (client, id) => (await client.get(`/cases/v1/cases/${id}`)).json

test('a case is verified, handed over, decided and delivered; both timelines agree', async () => {
  const citizen = await r.signedIn('120000', 'citizen')
  const started = await startCase(citizen)
  assert.equal(started.status, 201, started.text)
  const { id } = started.json
  const here = await until('evidence', async () => {
    const c = await shown(citizen, id)
    return c.evidence.every((e) => e.state === 'answered') && c
  })
  assert.deepEqual(here.evidence.map((e) => e.results), [{ name: 'match', level: 'match' }, { name: 'match', household_region: 'match' }])
  const clerk = await r.signedIn('130000', 'clerk')
  await until('arrival in Hebei', async () => (await clerk.get('/cases/v1/cases?view=worklist')).json.items.some((c) => c.id === id))
  for (const [action, body] of [['accept', {}], ['decide', { outcome: 'approved' }], ['deliver', {}]]) {
    const acted = await clerk.post(`/cases/v1/cases/${id}:${action}`, body)
    assert.equal(acted.status, 200, acted.text)
  }
  const again = await clerk.post(`/cases/v1/cases/${id}:accept`)
  assert.equal(again.status, 409)
  await until('the timeline in Tianjin', async () => (await shown(citizen, id)).state === 'delivered')
  const kinds = (c) => c.events.map((e) => `${e.node.code} ${e.kind}`)
  const [there, home] = [await shown(clerk, id), await shown(citizen, id)]
  const after_ = (list) => list.filter((k) => /received|accepted|decided|delivered/.test(k))
  assert.deepEqual(after_(kinds(there)), after_(kinds(home)))
  assert.equal(there.events.filter((e) => e.kind === 'received').length, 1)
})

test('the citizen sees who looked, over all nodes, each with a receipt that holds offline', async () => {
  const citizen = await r.signedIn('120000', 'citizen')
  const looks = await until('looks', async () => {
    const l = (await citizen.get('/exchange/v1/looks')).json
    return l.items.filter((one) => one.register !== 'access-log').length >= 3 && l
  })
  assert.deepEqual(looks.unreachable, [])
  const degree = looks.items.find((l) => l.provider.code === '110000' && l.register !== 'access-log')
  assert.equal(degree.consumer.code, '120000')
  assert.deepEqual(degree.fields.toSorted(), ['level', 'name'])
  assert.equal(degree.basis.kind, 'consent')
  assert.match(degree.basis.law.zh, /法|条例|规定|办法|协议/, 'the look tells the law that its grant cites')
  const handed = looks.items.find((l) => l.operation === 'case.submitted')
  assert.deepEqual([handed.provider.code, handed.register, handed.basis.kind], ['130000', 'case', 'application'])
  // That she read the list is a look as well: a token in wrong hands would show.
  const read = (await citizen.get('/exchange/v1/looks')).json.items.filter((l) => l.register === 'access-log')
  assert.deepEqual([...new Set(read.map((l) => l.provider.code))].toSorted(), ['110000', '120000', '130000', '133100'])
  assert.ok(read.every((l) => l.consumer.code === '120000' && l.operation === 'looks' && l.basis.kind === 'consent' && l.receipt), JSON.stringify(read[0]))
  for (const look of looks.items) {
    const file = join(r.dir, 'receipt.json')
    writeFileSync(file, JSON.stringify(look.receipt))
    const told = JSON.parse(r.run('receipt', 'verify', file, '--trust', r.trustFile, '--json'))
    assert.equal(told.valid, true)
    writeFileSync(file, JSON.stringify(look.receipt).replace('answered', 'answerEd'))
    assert.throws(() => r.run('receipt', 'verify', file, '--trust', r.trustFile))
  }
})

test('an outside system asks its own node with one plain call', async () => {
  const system = r.keyed('130000')
  const company = { provider: '120000', register: 'legal-persons', operation: 'query', key: { uscc: '' }, fields: ['name', 'status'], purpose: { item: 'business-check' } }
  const file = join(r.dir, 'g')
  r.run('generate', file, '--code', '120000', '--region', r.regionDir, '--people', '200', '--seed', '20260101')
  const { readFileSync } = await import('node:fs')
  const rows = readFileSync(join(file, 'legal-persons.jsonl'), 'utf8').trim().split('\n').map((l) => JSON.parse(l))
  company.key.uscc = rows[0].uscc
  const answer = await system.post('/exchange/v1/ask', company)
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.json.record.name, rows[0].name)
  assert.ok(answer.json.receipt.head.log.startsWith('120000.'))
  const many = await system.post('/exchange/v1/ask:batch', { asks: rows.slice(0, 3).map((row) => ({ ...company, operation: 'verify', fields: undefined, key: { uscc: row.uscc }, claims: { name: row.name, status: 'revoked' } })) })
  assert.equal(many.status, 200, many.text)
  assert.deepEqual(many.json.items.map((i) => i.results), rows.slice(0, 3).map(() => ({ name: 'match', status: 'mismatch' })))
})

test('mismatch and no record look alike to those who may not tell them apart', async () => {
  const system = r.keyed('110000', 'other')
  const ask = (id_number, name) => system.post('/exchange/v1/ask', { provider: '130000', register: 'population', operation: 'verify', key: { id_number }, claims: { name }, purpose: { item: 'identity-check' } })
  const citizen = r.client('130000')
  await sampleOf(citizen)
  const nobody = await ask('11010519491231002X', '不存在')
  assert.equal(nobody.status, 200, nobody.text)
  assert.deepEqual(nobody.json.results, { name: 'mismatch' })
  const wrong = await ask('110105194912310021', '不存在')
  assert.equal(wrong.status, 400)
  assert.equal(wrong.json.errors[0].code, 'check-digit')
})

test('no grant, no answer: foreign purposes and fields are refused by the provider', async () => {
  const system = r.keyed('110000', 'third')
  const base = { provider: '130000', register: 'population', operation: 'verify', key: { id_number: '11010519491231002X' }, claims: { name: 'x' }, purpose: { item: 'identity-check' } }
  const cases = [
    [{ purpose: { item: 'curiosity' } }, 'grant-purpose'],
    [{ claims: { name: 'x', household_county: '130102' } }, /grant-(field|purpose)( |$)/],
    [{ operation: 'query', claims: undefined, fields: ['name'] }, /no-grant|grant-/],
    [{ register: 'degrees', key: { id_number: '11010519491231002X', certificate_number: '991011202404000001' }, claims: { level: '大学本科' }, purpose: { item: 'HE-TALENT-CARD' } }, 'consent-required'],
    [{ register: 'secrets' }, /no-grant|no-register/],
    [{ provider: '999999' }, /unknown-member|no-grant/],
  ]
  for (const [change, type] of cases) {
    const answer = await system.post('/exchange/v1/ask', { ...base, ...change })
    assert.ok(answer.status >= 400 && answer.status < 500, `${JSON.stringify(change)} → ${answer.status} ${answer.text}`)
    const said = [answer.json.type, ...(answer.json.errors ?? []).map((e) => e.code)].join(' ')
    assert.match(said, type instanceof RegExp ? type : new RegExp(`${type}( |$)`), answer.text)
    assert.ok(answer.json.title_zh && answer.json.title_en)
  }
})

test('what was asked about her stands in no node’s tables in the clear', { skip: process.env.TONGHUI_TEST_STORE === 'postgresql' && 'the files are another process’s' }, async () => {
  const citizen = await r.signedIn('120000', 'citizen')
  const { items } = (await citizen.get('/exchange/v1/looks')).json
  const auditor = await r.signedIn('110000', 'auditor')
  const asked = JSON.parse((await auditor.get(`/exchange/v1/receipts/${items.find((l) => l.provider.code === '110000' && l.operation === 'verify').message}`)).json.message)
  const { id_number, certificate_number } = asked.body.key
  assert.match(id_number, /^\d{17}[\dX]$/)
  for (const code of ['110000', '120000', '130000'])
    for (const name of ['store.sqlite', 'store.sqlite-wal']) {
      const file = join(r.nodes[code].dir, name)
      if (!existsSync(file)) continue
      const bytes = readFileSync(file)
      for (const value of [id_number, certificate_number]) assert.equal(bytes.indexOf(value), -1, `${value} in ${code}/${name}`)
    }
})
