// Papers handed in: resumed where they stopped, checked as a whole, fetched by the deciding node whatever dies, and never what they are not.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Peer, uuid7 } from '../lib/peer.mjs'
import { codes, Region, sleep, startCase, until } from '../lib/region.mjs'

let r, citizen, clerk
before(async () => {
  r = await Region.make({
    suites: { '120000': 'ed25519-sha256' },
    edit: (dir) => {
      const file = join(dir, 'items/HE-TALENT-CARD.json')
      const item = JSON.parse(readFileSync(file, 'utf8'))
      item.materials.push({ id: 'contract', title: { zh: '劳动合同', en: 'Employment contract' }, obtain: 'upload' }, { id: 'photo', title: { zh: '照片', en: 'Photograph' }, obtain: 'upload', defer_days: 5 })
      writeFileSync(file, JSON.stringify(item))
    },
  })
  await r.startAll()
  citizen = await r.signedIn('120000', 'citizen')
  clerk = await r.signedIn('130000', 'clerk')
})
after(() => r?.close())

const pdf = (n, inside = '') => Buffer.concat([Buffer.from(`%PDF-1.7\n${inside}\n`), randomBytes(n).map((b) => (b % 26) + 97), Buffer.from('\n%%EOF\n')])
const sha = (bytes) => createHash('sha256').update(bytes).digest('hex')
const say = (id, code, bytes, mime = 'application/pdf', more = {}) => citizen.post(`/cases/v1/cases/${id}/materials`, { code, name: `${code}.pdf`, mime, size: bytes.length, sha256: sha(bytes), ...more })
const put = (id, code, bytes, offset) => citizen.call('PUT', `/cases/v1/cases/${id}/materials/${code}?offset=${offset}`, bytes, { 'Content-Type': 'application/octet-stream' })
async function hand(id, code, bytes, mime) {
  const said = await say(id, code, bytes, mime)
  if (said.status !== 200) return said
  let answer = said
  for (let at = said.json.received; at < bytes.length; at += 1 << 20) answer = await put(id, code, bytes.subarray(at, at + (1 << 20)), at)
  return answer
}
const started = async () => {
  const answer = await startCase(citizen)
  assert.equal(answer.status, 201, answer.text)
  return answer.json
}
const type = (answer) => answer.json.type.replace('urn:tonghui:problem:', '')

test('a case waits for the papers it needs, goes with them, and arrives whole though everybody dies on the way', { timeout: 120000 }, async () => {
  const { id } = await started()
  await until('evidence', async () => (await citizen.get(`/cases/v1/cases/${id}`)).json.evidence.every((e) => e.state === 'answered'))
  const here = (await citizen.get(`/cases/v1/cases/${id}`)).json
  assert.equal(here.state, 'evidence')
  assert.deepEqual(here.missing.map((m) => m.id), ['contract', 'photo'])
  const paper = pdf(5_000_000)
  const said = await say(id, 'contract', paper)
  assert.equal(said.status, 200, said.text)
  assert.equal(said.json.received, 0)
  assert.equal((await put(id, 'contract', paper.subarray(0, 1 << 20), 0)).status, 200)
  // The connection and the node go; what was acknowledged is there.
  await r.stop('120000', 'SIGKILL')
  await r.start('120000')
  citizen = await r.signedIn('120000', 'citizen')
  const resumed = await say(id, 'contract', paper)
  assert.equal(resumed.json.received, 1 << 20)
  assert.equal(type(await put(id, 'contract', paper.subarray(0, 1 << 20), 0)), 'material-offset')
  const whole = await hand(id, 'contract', paper)
  assert.equal(whole.status, 200, whole.text)
  assert.equal(whole.json.whole, true)
  assert.equal((await citizen.post(`/cases/v1/cases/${id}/materials`, { code: 'photo', defer: true })).status, 200)
  await until('arrival', async () => (await clerk.get(`/cases/v1/cases/${id}`)).status === 200)
  await r.stop('130000', 'SIGKILL')
  await r.start('130000')
  clerk = await r.signedIn('130000', 'clerk')
  await until('the paper in Hebei', async () => (await clerk.get(`/cases/v1/cases/${id}`)).json.materials?.find((m) => m.code === 'contract')?.state === 'here', 60000)
  const fetched = await fetch(`${r.nodes['130000'].portal}/cases/v1/cases/${id}/materials/contract`, { headers: { Cookie: clerk.cookie } })
  assert.equal(sha(Buffer.from(await fetched.arrayBuffer())), sha(paper))
  assert.match(fetched.headers.get('content-disposition'), /attachment/)
  // Nothing is granted while a paper is to follow.
  assert.equal((await clerk.post(`/cases/v1/cases/${id}:accept`)).status, 200)
  assert.equal(type(await clerk.post(`/cases/v1/cases/${id}:decide`, { outcome: 'approved' })), 'materials-missing')
  const photo = Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), randomBytes(40000)])
  assert.equal((await hand(id, 'photo', photo, 'image/png')).json.whole, true)
  await until('the photograph in Hebei', async () => (await clerk.get(`/cases/v1/cases/${id}`)).json.materials.every((m) => m.state === 'here'), 30000)
  assert.equal((await clerk.post(`/cases/v1/cases/${id}:decide`, { outcome: 'approved' })).status, 200)
})

test('what is not a paper is refused, and the case stays', async () => {
  const { id } = await started()
  const bad = [
    ['material-type', Buffer.from('MZ\x90\x00 this program cannot be run in DOS mode'.padEnd(4000, 'x')), 'application/pdf'],
    ['material-type', pdf(100), 'image/png'],
    ['material-active', pdf(100, '<</S/JavaScript/JS (app.alert(1))>>'), 'application/pdf'],
    ['material-active', pdf(100, '/Launch /F (cmd.exe)'), 'application/pdf'],
    ['material-virus', pdf(100, 'X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'), 'application/pdf'],
  ]
  for (const [problem, bytes, mime] of bad) {
    const answer = await hand(id, 'contract', bytes, mime)
    assert.equal(answer.status, 422, answer.text)
    assert.equal(type(answer), problem)
    assert.ok(!(await citizen.get(`/cases/v1/cases/${id}`)).json.materials.some((m) => m.code === 'contract'))
  }
  const paper = pdf(1000)
  assert.equal((await say(id, 'contract', paper, 'application/pdf', { sha256: sha(Buffer.from('other')) })).status, 200)
  assert.equal(type(await put(id, 'contract', paper, 0)), 'material-hash')
  for (const wrong of [{ size: 0 }, { size: 60 << 20 }, { sha256: 'zz' }, { code: '../etc' }, { extra: 1 }]) assert.equal((await say(id, 'contract', paper, 'application/pdf', wrong)).status, 400, JSON.stringify(wrong))
  assert.equal(type(await citizen.post(`/cases/v1/cases/${id}/materials`, { code: 'contract', defer: true })), 'no-deferral')
  assert.equal((await put(id, 'contract', Buffer.alloc(0), 0)).status, 400)
  const other = await r.signedIn('130000', 'citizen')
  assert.equal((await other.post(`/cases/v1/cases/${id}/materials`, { code: 'contract', name: 'x', mime: 'application/pdf', size: 5, sha256: sha(paper) })).status, 404)
  assert.equal((await hand(id, 'contract', paper)).json.whole, true)
})

const stateOf = async (id, who = citizen) => (await who.get(`/cases/v1/cases/${id}`)).json.materials.find((m) => m.code === 'contract')?.state
const kindsOf = async (id, who) => (await who.get(`/cases/v1/cases/${id}`)).json.events.map((e) => e.kind)
const answered = (id) => until('evidence', async () => (await citizen.get(`/cases/v1/cases/${id}`)).json.evidence.every((e) => e.state === 'answered'))
/* In the store of a node that stands still. */
function sql(code, text) {
  if (process.env.TONGHUI_TEST_STORE === 'postgresql') execFileSync('psql', [process.env.TONGHUI_TEST_PG.replace('/postgres?', `/${r.databases[codes.indexOf(code)]}?`), '-qc', text])
  else execFileSync('python3', ['-c', 'import sqlite3,sys\nwith sqlite3.connect(sys.argv[1]) as db: db.execute(sys.argv[2])', join(r.nodes[code].dir, 'store.sqlite'), text])
}

test('a paper of nearly fifty megabytes is taken and given back', { timeout: 120000 }, async () => {
  const { id } = await started()
  const block = pdf(1 << 20)
  const paper = Buffer.concat([block, Buffer.alloc(46 << 20, block.subarray(5, 99_999))])
  assert.equal((await say(id, 'contract', paper)).status, 200)
  let answer
  for (let at = 0; at < paper.length; at += 4 << 20) answer = await put(id, 'contract', paper.subarray(at, at + (4 << 20)), at)
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.json.whole, true)
  const back = await fetch(`${r.nodes['120000'].portal}/cases/v1/cases/${id}/materials/contract`, { headers: { Cookie: citizen.cookie } })
  assert.equal(back.status, 200)
  assert.equal(sha(Buffer.from(await back.arrayBuffer())), sha(paper))
})

test('what announces another paper while one is checked leaves the new one to come, never one that is not there', { timeout: 60000 }, async () => {
  const { id } = await started()
  const block = pdf(1 << 20)
  const paper = Buffer.concat([block, Buffer.alloc(20 << 20, block.subarray(5, 99_999))])
  const other = pdf(70_000)
  await say(id, 'contract', paper)
  const last = paper.length - (paper.length % (4 << 20))
  for (let at = 0; at < last; at += 4 << 20) assert.equal((await put(id, 'contract', paper.subarray(at, at + (4 << 20)), at)).status, 200)
  const ending = put(id, 'contract', paper.subarray(last), last)
  await until('all pieces', async () => (await say(id, 'contract', other)).status === 200)
  await ending
  const shown = await stateOf(id)
  assert.equal(shown, 'uploading')
  assert.equal((await hand(id, 'contract', other)).json.whole, true)
  assert.equal(await stateOf(id), 'here')
})

test('a node that died between the last piece and its check takes the paper at the next announcement', { timeout: 60000 }, async () => {
  const { id } = await started()
  await answered(id)
  const paper = pdf(70_000)
  assert.equal((await hand(id, 'contract', paper)).json.whole, true)
  await r.stop('120000')
  sql('120000', `UPDATE cases_material SET state = 'uploading' WHERE case_id = '${id}' AND code = 'contract'`)
  await r.start('120000')
  citizen = await r.signedIn('120000', 'citizen')
  assert.equal(await stateOf(id), 'uploading')
  const again = await say(id, 'contract', paper)
  assert.equal(again.json.whole, true, again.text)
  assert.equal(await stateOf(id), 'here')
  // By sending the last piece again as well.
  await r.stop('120000')
  sql('120000', `UPDATE cases_material SET state = 'uploading' WHERE case_id = '${id}' AND code = 'contract'`)
  await r.start('120000')
  citizen = await r.signedIn('120000', 'citizen')
  assert.equal((await put(id, 'contract', paper.subarray(65536), 65536)).json.whole, true)
  assert.equal(await stateOf(id), 'here')
})

test('a paper is replaced with a trace before the case is accepted, and not at all afterwards', { timeout: 90000 }, async () => {
  const { id } = await started()
  await answered(id)
  const [first, second, third] = [pdf(1000), pdf(2000), pdf(3000)]
  assert.equal((await hand(id, 'contract', first)).json.whole, true)
  assert.equal((await citizen.post(`/cases/v1/cases/${id}/materials`, { code: 'photo', defer: true })).status, 200)
  await until('the paper in Hebei', async () => (await stateOf(id, clerk)) === 'here')
  assert.equal((await hand(id, 'contract', second)).json.whole, true)
  const trace = (await citizen.get(`/cases/v1/cases/${id}`)).json.events.find((e) => e.kind === 'material_replaced')
  assert.equal(trace.detail.sha256, sha(first))
  assert.ok(trace.zh && trace.en)
  await until('the other in Hebei', async () => (await kindsOf(id, clerk)).includes('material_replaced') && (await stateOf(id, clerk)) === 'here')
  assert.equal((await clerk.post(`/cases/v1/cases/${id}:accept`)).status, 200)
  await until('the acceptance in Tianjin', async () => (await citizen.get(`/cases/v1/cases/${id}`)).json.state === 'accepted')
  const late = await say(id, 'contract', third)
  assert.deepEqual([late.status, type(late)], [409, 'material-settled'])
  assert.equal(await stateOf(id), 'here')
  // Hebei decides for itself: a node that sends all the same is told no.
  const me = new Peer(r, '120000')
  const forged = me.line('130000', 'case.material', { case: id, material: { code: 'contract', name: 'x.pdf', mime: 'application/pdf', size: 3000, sha256: sha(third) } }, { seq: 900001, purpose: { item: 'HE-TALENT-CARD', case: id } })
  const answer = await me.ask('130000', [forged])
  assert.equal(answer.lines[0].problem?.type, 'urn:tonghui:problem:material-settled', JSON.stringify(answer.lines[0]))
  assert.equal(await stateOf(id, clerk), 'here')
})

test('a paper that comes shorter than announced harms nobody, is paused, and comes when it is announced as it is', { timeout: 90000 }, async () => {
  const { id } = await started()
  await answered(id)
  const paper = pdf(40_000)
  assert.equal((await hand(id, 'contract', paper)).json.whole, true)
  assert.equal((await citizen.post(`/cases/v1/cases/${id}/materials`, { code: 'photo', defer: true })).status, 200)
  await until('the paper in Hebei', async () => (await stateOf(id, clerk)) === 'here')
  const me = new Peer(r, '120000')
  const tell = (size, seq) => me.ask('130000', [me.line('130000', 'case.material', { case: id, material: { code: 'contract', name: 'c.pdf', mime: 'application/pdf', size, sha256: sha(paper) } }, { seq, purpose: { item: 'HE-TALENT-CARD', case: id } })])
  const auditor = await r.signedIn('120000', 'auditor')
  r.nodes['130000'].log = ''
  assert.equal((await tell(paper.length + 20_000, 900011)).lines[0].status, 200)
  assert.equal(await stateOf(id, clerk), 'wanted')
  const asked = async () => (await auditor.get('/exchange/v1/journal?limit=100')).json.items.filter((e) => e.direction === 'answered' && e.case === id).length
  await sleep(3000)
  const before_ = await asked()
  await sleep(8000)
  assert.ok((await asked()) - before_ < 2, 'it is not asked for all the time')
  assert.equal(await stateOf(id, clerk), 'wanted')
  assert.ok(!/material-piece/.test(r.nodes['130000'].log), r.nodes['130000'].log)
  assert.equal((await tell(paper.length, 900012)).lines[0].status, 200)
  await until('the paper in Hebei again', async () => (await stateOf(id, clerk)) === 'here')
})
