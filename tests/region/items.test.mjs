// Items and the two lists between real processes: what all members signed crosses a border, in the way and version they signed; nothing else does.
import assert from 'node:assert/strict'
import { verify } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Peer, canonical, edPublic, uuid7 } from '../lib/peer.mjs'
import { Region, codes, startCase, until } from '../lib/region.mjs'

let r, anyone
before(async () => {
  r = await Region.make({ suites: Object.fromEntries(codes.map((code) => [code, 'ed25519-sha256'])) })
  await r.startAll()
  anyone = r.client('120000')
})
after(() => r?.close())

const type = (answer) => answer.json?.type?.replace('urn:tonghui:problem:', '')
const start = (client, item, form) => client.post('/cases/v1/cases', { item, form, consents: ['household'] })

test('two hundred and eight items, split as published, each with its law in two languages', async () => {
  const all = (await anyone.get('/government/v1/items')).json.items
  assert.deepEqual(Object.fromEntries(codes.map((code) => [code, all.filter((i) => i.owner?.code === code).length])), { 110000: 60, 120000: 80, 130000: 58, 133100: 10 })
  assert.equal((await anyone.get('/government/v1/items?owner=133100')).json.items.length, 10)
  const licences = (await anyone.get('/government/v1/items?kind=01&target=2&mode=joint')).json.items
  assert.ok(licences.length >= 2 && licences.every((i) => i.kind === '01' && i.modes.includes('joint')))
  const first = (await anyone.get('/government/v1/items?limit=100')).json
  const second = (await anyone.get(`/government/v1/items?limit=200&cursor=${first.next}`)).json
  assert.equal(new Set([...first.items, ...second.items].map((i) => i.code)).size, 208)
  for (const brief of all.filter((_, i) => i % 9 === 0)) {
    const item = (await anyone.get(`/government/v1/items/${brief.code}`)).json
    assert.ok(item.basis.length && item.basis.every((b) => b.zh && b.en), brief.code)
    assert.ok(item.illustrative && item.illustrative_parts.length, brief.code)
    assert.equal((await anyone.get(`/government/v1/items/${brief.code}/versions/${item.version}`)).json.hash, item.hash)
  }
  assert.equal((await anyone.get('/government/v1/items/HE-BIRTH/versions/7')).status, 404)
})

test('the lists are the same everywhere, with an ETag, and every member’s signature holds', async () => {
  const governors = r.trust().signed.governors.keys
  for (const name of ['items', 'ecerts']) {
    const texts = []
    for (const code of codes) texts.push((await r.client(code).get(`/government/v1/lists/${name}`)).text)
    assert.equal(new Set(texts).size, 1)
    const list = JSON.parse(texts[0])
    for (const code of codes) {
      const keys = governors.filter((g) => g.holder === code)
      const holds = list.signatures.some((s) => keys.some((g) => g.kid === s.kid && verify(null, Buffer.from(`tonghui/v1/agreement\n${canonical(list.signed)}`), edPublic(Buffer.from(g.public, 'base64url')), Buffer.from(s.sig, 'base64url'))))
      assert.ok(holds, `${name} ${code}`)
    }
    const once = await anyone.get(`/government/v1/lists/${name}`)
    assert.equal((await anyone.get(`/government/v1/lists/${name}`, { 'If-None-Match': once.headers.get('etag') })).status, 304)
  }
  const items = (await anyone.get('/government/v1/lists/items')).json.signed.rows
  assert.equal(items.length, 208)
  assert.deepEqual(items.find((row) => row.item === 'HE-BIRTH').members, ['110000', '120000', '133100'])
  assert.equal((await anyone.get('/government/v1/lists/secrets')).status, 404)
})

test('what is on the list is begun in Tianjin and arrives in Hebei', async () => {
  const citizen = await r.signedIn('120000', 'citizen')
  const form = { child: '小明', born: '2026-11-01', phone: '13800138000' }
  const started = await start(citizen, 'HE-BIRTH', form)
  assert.equal(started.status, 201, started.text)
  const clerk = await r.signedIn('130000', 'clerk')
  await until('arrival in Hebei', async () => (await clerk.get('/cases/v1/cases?view=worklist')).json.items.some((c) => c.id === started.json.id))
  const there = (await clerk.get(`/cases/v1/cases/${started.json.id}`)).json
  assert.deepEqual(there.evidence.map((e) => [e.id, e.results]), [['household', { name: 'match' }]])
})

test('what is on the list for the counter only is not begun from home in another place', async () => {
  const citizen = await r.signedIn('120000', 'citizen')
  const refused = await citizen.post('/cases/v1/cases', { item: 'HE-MARRY', form: { partner: '李四', phone: '13800138000' }, consents: [] })
  assert.deepEqual([refused.status, type(refused)], [403, 'item-not-on-list'])
  const clerk = await r.signedIn('120000', 'clerk')
  const counter = await clerk.post('/cases/v1/cases', { item: 'HE-MARRY', form: { partner: '李四', phone: '13800138000' }, consents: [], applicant: { id_number: '11010519491231002X', name: '张三' } })
  assert.equal(counter.status, 201, counter.text)
})

/* A new version of the list, changed by `edit`, signed by those named. */
const sign = (file, edit, signers = codes) => {
  r.run('list', 'draft', 'items', '--out', file, '--node', r.nodes['120000'].dir)
  const document = JSON.parse(readFileSync(file, 'utf8'))
  document.signed.rows = edit(document.signed.rows)
  writeFileSync(file, JSON.stringify(document))
  for (const code of signers) r.run('list', 'sign', file, '--node', r.nodes[code].dir)
}

test('a list that one member did not sign, was changed afterwards, or is older, is not taken', () => {
  const file = join(r.dir, 'list.json')
  sign(file, (rows) => rows, ['110000', '120000', '130000'])
  assert.throws(() => r.run('list', 'apply', file, '--node', r.nodes['120000'].dir), /agreement-unsigned/)
  sign(file, (rows) => rows)
  const changed = JSON.parse(readFileSync(file, 'utf8'))
  changed.signed.rows.pop()
  const other = join(r.dir, 'changed.json')
  writeFileSync(other, JSON.stringify(changed))
  assert.throws(() => r.run('list', 'apply', other, '--node', r.nodes['120000'].dir), /agreement-unsigned/)
  changed.signed.version = 1
  writeFileSync(other, JSON.stringify({ signed: changed.signed, signatures: [] }))
  for (const code of codes) r.run('list', 'sign', other, '--node', r.nodes[code].dir)
  assert.throws(() => r.run('list', 'apply', other, '--node', r.nodes['120000'].dir), /agreement-rollback/)
})

test('an item that is not on the list is refused where it begins, and by its owner whatever the other node thinks', { timeout: 120000 }, async () => {
  const file = join(r.dir, 'without.json')
  sign(file, (rows) => rows.filter((row) => row.item !== 'HE-TALENT-CARD').map((row) => (row.item === 'HE-ID-RENEW' ? { ...row, hash: '0'.repeat(64) } : row)))
  r.run('list', 'apply', file, '--node', r.nodes['120000'].dir)
  const citizen = await r.signedIn('120000', 'citizen')
  await until('the list to be read', async () => (await startCase(citizen)).status === 403)
  const refused = await startCase(citizen)
  assert.deepEqual([refused.status, type(refused)], [403, 'item-not-on-list'])
  const clerk = await r.signedIn('120000', 'clerk')
  const changed = await clerk.post('/cases/v1/cases', { item: 'HE-ID-RENEW', form: { phone: '13800138000' }, consents: ['household'], applicant: { id_number: '11010519491231002X', name: '张三' } })
  assert.deepEqual([changed.status, type(changed)], [409, 'item-changed'])
  // Hebei's own copy decides too: a node that sends all the same is told no, and nothing stands there.
  r.run('list', 'apply', file, '--node', r.nodes['130000'].dir)
  const hebei = r.client('130000')
  await until('the list to be read in Hebei', async () => (await hebei.get('/government/v1/lists/items')).json.signed.version === 2)
  await r.stop('120000')
  const me = new Peer(r, '120000')
  const id = uuid7()
  const line = { id: uuid7(), type: 'case.submitted', to: '130000', at: new Date().toISOString(), seq: 900001, purpose: { item: 'HE-TALENT-CARD', case: id },
    body: { case: id, number: '120000-20261124-00000001', item: 'HE-TALENT-CARD', channel: 'citizen', created_us: Date.now() * 1000, secret: { id_number: '11010519491231002X', name: '张三', form: {} }, evidence: [], materials: [] } }
  const answer = await me.ask('130000', [line])
  assert.equal(answer.status, 200, JSON.stringify(answer.problem))
  assert.equal(answer.lines[0].problem?.type, 'urn:tonghui:problem:item-not-on-list', JSON.stringify(answer.lines[0]))
  const office = await r.signedIn('130000', 'clerk')
  assert.equal((await office.get(`/cases/v1/cases/${id}`)).status, 404)
  await r.start('120000')
})

test('a case keeps the version of its item that it was begun under; a new version needs a new signature', { timeout: 120000 }, async () => {
  const citizen = await r.signedIn('120000', 'citizen')
  const clerk = await r.signedIn('130000', 'clerk')
  const shown = async (id) => (await clerk.get(`/cases/v1/cases/${id}`)).json
  const arrived = (id) => until('arrival in Hebei', async () => (await clerk.get(`/cases/v1/cases/${id}`)).status === 200)
  const form = { child: '小明', born: '2026-11-01', phone: '13800138000' }
  const first = (await start(citizen, 'HE-BIRTH', form)).json.id
  await arrived(first)
  assert.equal((await clerk.post(`/cases/v1/cases/${first}:accept`, {})).status, 200)
  const before_ = await shown(first)
  assert.equal(before_.item.version, 1)
  // Hebei publishes version 2, with another promise: the list that all signed still says version 1.
  const list = join(r.regionDir, 'items/130000.json')
  const items = JSON.parse(readFileSync(list, 'utf8'))
  const one = items.items.find((i) => i.code === 'HE-BIRTH')
  const day = (ms) => new Date(ms + 8 * 3600000).toISOString().slice(0, 10)
  items.items.push({ ...one, version: 2, valid_from: day(Date.now() - 86400000), promised_days: 2 })
  Object.assign(one, { valid_to: day(Date.now() - 2 * 86400000) })
  writeFileSync(list, JSON.stringify(items))
  for (const code of ['110000', '120000', '130000']) {
    await r.stop(code)
    await r.start(code)
  }
  assert.deepEqual((({ version, limit_days }) => [version, limit_days])((await anyone.get('/government/v1/items/HE-BIRTH')).json), [2, 2])
  assert.equal((await anyone.get('/government/v1/items/HE-BIRTH/versions/1')).json.limit_days, 10)
  const unsigned = await start(citizen, 'HE-BIRTH', form)
  assert.deepEqual([unsigned.status, type(unsigned)], [409, 'item-changed'])
  const file = join(r.dir, 'second.json')
  sign(file, (rows) => rows)
  for (const code of ['120000', '130000']) r.run('list', 'apply', file, '--node', r.nodes[code].dir)
  let second
  await until('the list to be read', async () => (second = await start(citizen, 'HE-BIRTH', form)).status === 201)
  await arrived(second.json.id)
  assert.equal((await clerk.post(`/cases/v1/cases/${second.json.id}:accept`, {})).status, 200)
  const after_ = await shown(second.json.id)
  assert.equal(after_.item.version, 2)
  assert.ok(after_.clock.promised_due < before_.clock.promised_due, JSON.stringify([after_.clock, before_.clock]))
  // The first case goes on under its own version: a step later its limit is what was promised then.
  assert.equal((await clerk.post(`/cases/v1/cases/${first}:review`, {})).status, 200)
  const now = await shown(first)
  assert.deepEqual([now.item.version, now.due, now.clock.promised_due], [1, before_.due, before_.clock.promised_due])
})

test('items are found by what people type', async () => {
  const found = async (q, more = '') => (await anyone.get(`/government/v1/items?q=${encodeURIComponent(q)}${more}`)).json.items.map((i) => i.code)
  assert.equal((await found('孩子上户口'))[0], 'TJ-BIRTH')
  assert.equal((await found('csdj'))[0], 'TJ-BIRTH')
  assert.equal((await found('河北 孩子上户口'))[0], 'HE-BIRTH')
  assert.equal((await found('housing fund'))[0].slice(0, 8), 'TJ-FUND-')
  assert.ok((await found('公积金', '&owner=133100')).every((code) => code.startsWith('XA-')))
  assert.deepEqual(await found('zzzz'), [])
})

test('an office’s own list: every row is kept, what is in doubt is marked, nothing is invented', async () => {
  const operator = await r.signedIn('130000', 'operator')
  const rows = [
    ['实施编码', '基本编码', '事项名称', '事项类型', '设定依据', '实施主体', '法定办结时限', '承诺办结时限', '申请材料'],
    ['11370800MB285591843370117002011', '370117002011', '好的一项', '01', '某法第一条', '某局', '20', '10', '申请表'],
    ['1308003000117112000', '000117112000', '区划代码', '01', '某法第一条', '某局', '20', '10', '申请表'],
    ['TE13080000000000123000117112000', '', 'TE 开头', '1', '某法第一条', '某局', '', '', '申请表'],
    ['1151130108778239R3000117112000', '', '十七位', '20', '某法第一条', '某局', '', '', '申请表'],
    ['7084611363000117112000', '', '旧九位', '10', '某法第一条', '某局', '', '', '申请表'],
    ['', '', '没有编码', '07', '某法第一条', '', '', '', ''],
    ['', '', '=cmd|公式,"<b>"', '07', '某法第一条', '某局', '', '', '申请表'],
  ]
  const csv = (list) => '\ufeff' + list.map((row) => row.map((v) => (/[",]/.test(v) ? `"${v.replaceAll('"', '""')}"` : v)).join(',')).join('\r\n') + '\r\n'
  const send = (list) => operator.post('/government/v1/items:import?format=csv', csv(list), { 'Content-Type': 'text/csv' })
  const answer = await send(rows)
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual([answer.json.rows, answer.json.kept, answer.json.pending], [7, 7, 6])
  assert.deepEqual(answer.json.report.map((row) => [row.line, row.doubts[0].code]), [[3, 'owner-region'], [4, 'owner-temporary'], [5, 'owner-short'], [6, 'owner-organisation'], [7, 'required'], [8, 'required']])
  const pending = (await operator.get('/government/v1/imported-items?state=pending')).json.items
  assert.equal(pending.length, 6)
  // As they stood, under keys that are nobody's codes.
  assert.equal(pending.find((p) => p.line === 5).row.impl_code, '1151130108778239R3000117112000')
  assert.ok(pending.every((p) => p.key.startsWith('row-')))
  assert.equal(pending.find((p) => p.line === 8).name, '=cmd|公式,"<b>"')
  assert.deepEqual((await operator.get('/government/v1/imported-items?state=draft')).json.items.map((d) => [d.key, d.version]), [['11370800MB285591843370117002011', 1]])
  const one = pending.find((p) => p.line === 3)
  const settle = (note) => operator.post(`/government/v1/imported-items/${one.key}/versions/1:settle`, { note })
  assert.equal((await settle('')).status, 400)
  assert.equal((await settle('已与编办核对')).status, 200)
  assert.equal((await settle('再次')).status, 404)
  // The same list again changes nothing; a changed row is the next version.
  await send(rows)
  rows[1][7] = '5'
  await send(rows)
  assert.deepEqual((await operator.get('/government/v1/imported-items?state=draft')).json.items.map((d) => d.version), [1, 2])
  assert.equal((await operator.get('/government/v1/imported-items?state=pending')).json.items.length, 5)
  // What contradicts itself is refused whole.
  const before_ = (await operator.get('/government/v1/imported-items?state=draft')).json.items.length
  for (const [change, code] of [[{ 3: '11' }, 'kind'], [{ 4: '' }, 'law'], [{ 6: '5', 7: '6' }, 'promised-over-statutory'], [{ 2: '' }, 'required']]) {
    const wrong = [rows[0], rows[2], rows[1].map((v, i) => change[i] ?? v)]
    const refused = await send(wrong)
    assert.equal(refused.status, 422, refused.text)
    assert.equal(type(refused), 'item-list')
    assert.deepEqual(refused.json.errors.map((e) => [e.pointer.split('/')[1], e.code]), [['3', code]])
  }
  const twice = await send([rows[0], rows[1], rows[1].map((v, i) => (i === 2 ? '另一名称' : v))])
  assert.deepEqual([twice.status, twice.json.errors[0].code], [422, 'two-versions'])
  assert.equal((await operator.get('/government/v1/imported-items?state=draft')).json.items.length, before_)
  // By the command line, as JSON.
  const file = join(r.dir, 'own.json')
  writeFileSync(file, JSON.stringify({ items: [{ impl_code: '11370800MB28559184300011711200001', name: '另一项', kind: '01', basis: '某法第二条', office: '某局', materials: '无' }, { name: '无码', kind: '20', basis: '某法第三条', office: '某局', materials: '无' }] }))
  const told = JSON.parse(r.run('items', 'import', file, '--node', r.nodes['133100'].dir, '--json'))
  assert.deepEqual([told.rows, told.pending, told.report[0].line], [2, 1, 2])
  assert.equal((await (await r.signedIn('133100', 'clerk')).post('/government/v1/items:import', 'x')).status, 403)
})
