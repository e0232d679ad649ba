// The machine of a case between real processes: what the law lets whom do when, and what it refuses.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Peer, uuid7 } from '../lib/peer.mjs'
import { Region, sampleOf, startCase, until } from '../lib/region.mjs'

let r, citizen, clerk, head, window_
before(async () => {
  r = await Region.make({ suites: { '110000': 'ed25519-sha256', '120000': 'ed25519-sha256' } })
  await r.startAll()
  citizen = await r.signedIn('120000', 'citizen')
  window_ = await r.signedIn('120000', 'clerk')
  clerk = await r.signedIn('130000', 'clerk')
  head = await r.signedIn('130000', 'head')
})
after(() => r?.close())

const at = async (client, id) => (await client.get(`/cases/v1/cases/${id}`)).json
const stateIs = (client, id, state) => until(`${id} to be ${state}`, async () => { const c = await at(client, id); return c?.state === state && c })
const act = (client, id, action, body = {}) => client.post(`/cases/v1/cases/${id}:${action}`, body)
const does = async (client, id, action, body) => {
  const answer = await act(client, id, action, body)
  assert.equal(answer.status, 200, `${action}: ${answer.text}`)
  return answer.json
}
const refuses = async (client, id, action, body, status, type) => {
  const answer = await act(client, id, action, body)
  assert.equal(answer.status, status, `${action}: ${answer.text}`)
  const said = [answer.json.type, ...(answer.json.errors ?? []).map((e) => e.code)].join(' ')
  assert.match(said, type)
}
async function arrived() {
  const started = await startCase(citizen)
  assert.equal(started.status, 201, started.text)
  const { id } = started.json
  await until('arrival in Hebei', async () => (await clerk.get(`/cases/v1/cases/${id}`)).status === 200)
  return id
}

test('what is missing is told once; it is supplied at the other node and the clock begins anew', async () => {
  const id = await arrived()
  await refuses(clerk, id, 'correct', {}, 400, /required/)
  assert.equal((await does(clerk, id, 'correct', { missing: '请补充用人单位证明' })).state, 'correction')
  await refuses(clerk, id, 'accept', {}, 409, /case-state/)
  const home = await stateIs(citizen, id, 'correction')
  assert.deepEqual(home.actions, ['supply', 'withdraw'])
  assert.ok(home.clock.next_due)
  await does(citizen, id, 'supply', { note: '已补充' })
  const back = await stateIs(clerk, id, 'received')
  assert.equal(back.events.at(-1).kind, 'supplied')
  assert.ok(back.events.at(-1).detail.request)
  await refuses(clerk, id, 'correct', { missing: '又想起一件' }, 409, /correction-already-told/)
  await does(clerk, id, 'accept')
  await stateIs(citizen, id, 'accepted')
})

test('the clock stops only for the law’s reasons, is extended once and by the head only', async () => {
  const id = await arrived()
  const accepted = await does(clerk, id, 'accept')
  assert.equal(accepted.clock.state, 'running')
  await refuses(clerk, id, 'suspend', { reason: 'holiday', days: 3 }, 400, /enum/)
  await refuses(clerk, id, 'suspend', { reason: 'review', days: 3000 }, 409, /suspension-days/)
  const stopped = await does(clerk, id, 'suspend', { reason: 'review', days: 10 })
  assert.equal(stopped.clock.state, 'standing')
  await refuses(clerk, id, 'decide', { outcome: 'approved' }, 409, /case-state/)
  await does(clerk, id, 'resume')
  await refuses(clerk, id, 'extend', { reason: '情况复杂' }, 403, /not-yours-to-do/)
  const longer = await does(head, id, 'extend', { reason: '情况复杂' })
  assert.equal(longer.clock.extended, true)
  assert.ok(longer.clock.statutory_due > accepted.clock.statutory_due)
  await refuses(head, id, 'extend', { reason: '再延' }, 409, /already-extended/)
})

test('another administration is asked, answers once, and the decision waits for it', async () => {
  const id = await arrived()
  await does(clerk, id, 'accept')
  await refuses(clerk, id, 'consult', { member: '130000', question: '?' }, 400, /unknown-member/)
  await does(clerk, id, 'consult', { member: '110000', question: '该校是否在名录内？' })
  await refuses(clerk, id, 'decide', { outcome: 'approved' }, 409, /case-state/)
  const asked = await r.signedIn('110000', 'clerk')
  const question = await until('the question in Beijing', async () => (await asked.get('/cases/v1/consults')).json.items.find((c) => c.case === id))
  assert.equal(question.question, '该校是否在名录内？')
  const answer = (body) => asked.post(`/cases/v1/cases/${id}/consults/${question.consult}:answer`, body)
  assert.equal((await answer({ opinion: 'perhaps', text: 'x' })).status, 400)
  assert.equal((await answer({ opinion: 'agree', text: '在名录内' })).status, 200)
  assert.equal((await answer({ opinion: 'agree', text: '在名录内' })).status, 409)
  const back = await stateIs(clerk, id, 'review')
  assert.equal(back.events.at(-1).detail.text, '在名录内')
  await does(clerk, id, 'decide', { outcome: 'approved' })
})

test('a refusal names reason, law and route of appeal; reconsideration sets it aside; the case begins anew', async () => {
  const id = await arrived()
  await does(clerk, id, 'accept')
  await refuses(clerk, id, 'decide', { outcome: 'refused', reason: '不符' }, 400, /required/)
  await does(clerk, id, 'decide', { outcome: 'refused', reason: '不符合条件', law: '行政许可法第三十八条第二款' })
  const home = await stateIs(citizen, id, 'refused')
  const decided = home.events.find((e) => e.kind === 'decided').detail
  assert.equal(decided.appeal.reconsideration_days, 60)
  assert.equal(decided.appeal.litigation_months, 6)
  assert.ok(home.actions.includes('appeal') && home.actions.includes('rate'))
  await does(citizen, id, 'appeal', { reason: '学校在名录内' })
  await stateIs(clerk, id, 'reconsideration')
  await refuses(clerk, id, 'decide-appeal', { result: 'revoke', reason: 'x', law: 'y' }, 403, /not-yours-to-do/)
  await refuses(head, id, 'decide-appeal', { result: 'change', reason: 'x', law: 'y' }, 400, /required/)
  const anew = await does(head, id, 'decide-appeal', { result: 'revoke', reason: '认定事实不清', law: '行政复议法第六十四条' })
  assert.equal(anew.state, 'accepted')
  assert.equal(anew.clock.state, 'running')
  await does(clerk, id, 'decide', { outcome: 'approved' })
  await does(clerk, id, 'deliver', { mode: 'electronic' })
  await stateIs(citizen, id, 'delivered')
})

test('a bad rating is looked into, put right and called back; only the applicant rates, and amends once', async () => {
  const id = await arrived()
  await does(clerk, id, 'accept')
  await refuses(citizen, id, 'rate', { level: 5 }, 409, /case-state/)
  await does(clerk, id, 'decide', { outcome: 'approved' })
  await stateIs(citizen, id, 'decided')
  await refuses(citizen, id, 'rate', { level: 9 }, 400, /range/)
  await refuses(clerk, id, 'rate', { level: 5 }, 403, /not-yours-to-do/)
  await refuses(clerk, id, 'rectify', { measure: 'x', call_back: 'y' }, 409, /rating-not-checked/)
  await does(citizen, id, 'rate', { level: 1, note: '跑了三趟' })
  await until('the rating in Hebei', async () => (await at(clerk, id)).actions.includes('check-rating'))
  await does(clerk, id, 'check-rating', { finding: '窗口未一次告知' })
  await does(clerk, id, 'rectify', { measure: '已培训', call_back: '申请人表示满意' })
  await does(citizen, id, 'rate', { level: 4 })
  await until('the amended rating', async () => (await at(clerk, id)).events.filter((e) => e.kind === 'rated').length === 2)
  await does(citizen, id, 'rate', { level: 5 })
  const told = await until('the refusal of a third', async () => (await at(citizen, id)).events.find((e) => e.kind === 'request_refused'))
  assert.equal(told.detail.problem, 'already-rated')
})

test('a withdrawal that comes after the decision is refused by the owner, in words', async () => {
  const id = await arrived()
  await does(clerk, id, 'accept')
  await r.stop('120000')
  await does(clerk, id, 'decide', { outcome: 'approved' })
  // The origin has not heard of the decision: it asks, and hears why not.
  await r.stop('130000')
  await r.start('120000')
  const again = await r.signedIn('120000', 'citizen')
  await does(again, id, 'withdraw', { reason: '不办了' })
  await r.start('130000')
  clerk = await r.signedIn('130000', 'clerk')
  head = await r.signedIn('130000', 'head')
  citizen = again
  window_ = await r.signedIn('120000', 'clerk')
  const told = await until('the refusal', async () => (await at(citizen, id)).events.find((e) => e.kind === 'request_refused'))
  assert.equal(told.detail.problem, 'case-state')
  await stateIs(citizen, id, 'decided')
  assert.equal((await at(clerk, id)).state, 'decided')
})

test('the counter withdraws for the person it collected from; other citizens and other nodes may not', async () => {
  const id = await arrived()
  await refuses(await r.signedIn('130000', 'citizen'), id, 'withdraw', { reason: 'x' }, 404, /no-case/)
  await refuses(window_, id, 'accept', {}, 403, /not-the-owner/)
  await does(window_, id, 'withdraw', { reason: '申请人到窗口撤回' })
  await stateIs(clerk, id, 'withdrawn')
  await refuses(clerk, id, 'accept', {}, 409, /case-state/)
  await refuses(citizen, id, 'nothing', {}, 404, /no-action/)
  await refuses(clerk, id, 'deem-accept', {}, 404, /no-action/)
})

test('five working days without a word are acceptance, from the day of receipt', async () => {
  const id = await arrived()
  await r.stop('130000')
  await r.start('130000', { env: { LD_PRELOAD: '/usr/$LIB/faketime/libfaketime.so.1', FAKETIME: '+12d' } })
  const later = await r.signedIn('130000', 'clerk')
  const c = await stateIs(later, id, 'accepted')
  assert.equal(c.events.at(-1).kind, 'deemed_accepted')
  assert.equal(c.clock.deemed, true)
  assert.equal(c.clock.start, new Date(Date.parse(c.created) + 8 * 3600e3).toISOString().slice(0, 10))
  await refuses(later, id, 'correct', { missing: 'x' }, 409, /case-state|correction-too-late/)
  await r.stop('130000')
  await r.start('130000')
})

test('the work-list goes by what is due, and pages', async () => {
  clerk = await r.signedIn('130000', 'clerk')
  for (let i = 0; i < 3; i++) await arrived()
  const all = (await clerk.get('/cases/v1/cases?view=worklist&limit=200')).json.items
  const dues = all.map((c) => c.due)
  assert.deepEqual(dues, dues.toSorted())
  const paged = []
  let cursor = ''
  do {
    const page = (await clerk.get(`/cases/v1/cases?view=worklist&limit=2${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)).json
    paged.push(...page.items.map((c) => c.id))
    cursor = page.next
  } while (cursor)
  assert.deepEqual(paged, all.map((c) => c.id))
  assert.equal((await clerk.get('/cases/v1/cases?view=worklist&cursor=x')).status, 400)
})

test('every case folded again from its events is what its row says', async () => {
  const told = JSON.parse(r.run('cases', 'check', '--node', r.nodes['130000'].dir, '--json'))
  assert.ok(told.ok && told.cases >= 10 && told.events > 40, JSON.stringify(told))
})

test('a step that has a letter gives it as PDF, at both ends and to nobody else', async () => {
  const id = await arrived()
  await does(clerk, id, 'accept')
  await does(clerk, id, 'decide', { outcome: 'refused', reason: '学历不符合条件（甲）', law: '某办法第五条' })
  const home = await stateIs(citizen, id, 'refused')
  for (const [client, shown] of [[clerk, await at(clerk, id)], [citizen, home]]) {
    const letters = shown.events.filter((e) => e.letter)
    assert.deepEqual(letters.map((e) => e.letter.zh), ['受理通知书', '不予决定书'])
    for (const { seq } of letters) {
      const page = await fetch(`${client.base}/cases/v1/cases/${id}/letters/${seq}`, { headers: { Cookie: client.cookie } })
      assert.equal(page.status, 200)
      assert.equal(page.headers.get('content-type'), 'application/pdf')
      const bytes = Buffer.from(await page.arrayBuffer())
      assert.ok(bytes.subarray(0, 5).equals(Buffer.from('%PDF-')) && bytes.length > 3000)
    }
  }
  const plain = home.events.find((e) => !e.letter)
  for (const seq of [plain.seq, 999, 'x']) assert.equal((await citizen.get(`/cases/v1/cases/${id}/letters/${seq}`)).status, 404)
  const other = await r.signedIn('130000', 'citizen')
  assert.equal((await other.get(`/cases/v1/cases/${id}/letters/${home.events.find((e) => e.letter).seq}`)).status, 404)
})

test('what the evaluation counts: time against promise, papers avoided, visits, ratings', async () => {
  const { items } = (await clerk.get('/cases/v1/statistics')).json
  const one = items.find((i) => i.item === 'HE-TALENT-CARD')
  assert.ok(one.decided >= 3 && one.cases >= 10, JSON.stringify(one))
  assert.equal(one.on_time_e4, 10000)
  assert.ok(one.open >= 1 && one.open <= one.cases && one.overdue === 0, JSON.stringify(one))
  assert.equal(one.papers_avoided_e4, 10000)
  assert.equal(one.no_visit_e4, 10000)
  assert.equal(one.rated, 1)
  assert.equal(one.satisfied_e4, 10000)
  assert.deepEqual((await clerk.get('/cases/v1/statistics?to=2020-01-01')).json.items, [])
  assert.equal((await clerk.get('/cases/v1/statistics?from=yesterday')).status, 400)
  assert.equal((await citizen.get('/cases/v1/statistics')).status, 403)
})

/* A case as Tianjin's node would hand it over, of a person whose number others know too. */
const id_number = '11010519491231002X'
let seq = 900001
const tell = async (me, type, id, body) => (await me.ask('130000', [me.line('130000', type, { case: id, ...body }, { seq: seq++, purpose: { item: 'HE-TALENT-CARD', case: id } })])).lines[0]
const handOver = (me, id, more) => tell(me, 'case.submitted', id, { number: '120000-20261124-00000001', item: 'HE-TALENT-CARD', channel: 'citizen', secret: { id_number, name: '张三', form: {} }, evidence: [], materials: [], ...more })

test('only the node that collected a case speaks for its applicant, whoever knows her number', async () => {
  const id = uuid7()
  const now = Date.now() * 1000
  const tianjin = new Peer(r, '120000')
  assert.equal((await handOver(tianjin, id, { created_us: now, stamp_us: now })).status, 200)
  const withdraw = (me) => tell(me, 'case.request', id, { request: uuid7(), action: 'withdraw', by: 'applicant', id_number, body: { reason: 'x' } })
  assert.equal((await withdraw(new Peer(r, '110000'))).status, 200)
  const refusal = (await at(clerk, id)).events.find((e) => e.kind === 'request_refused')
  assert.equal(refusal?.detail.problem, 'not-yours-to-do')
  assert.equal((await at(clerk, id)).state, 'received')
  assert.equal((await withdraw(tianjin)).status, 200)
  assert.equal((await at(clerk, id)).state, 'withdrawn')
})

test('a case arrives with a stamp that can be, or not at all', async () => {
  const me = new Peer(r, '120000')
  const now = Date.now() * 1000
  const day = 86400e6
  const sent = async (created_us, stamp_us) => {
    const id = uuid7()
    const answer = await handOver(me, id, { created_us, stamp_us })
    return answer.status === 200 ? (await at(clerk, id)).state : (answer.problem.errors?.[0].pointer ?? answer.problem.type)
  }
  assert.equal(await sent(now, now), 'received')
  assert.equal(await sent(now - 90 * day, now - 50 * day), 'received')
  for (const stamp of [1, 0, -5, now - 70 * day, now + 2 * 3600e6, Number.MAX_SAFE_INTEGER]) assert.equal(await sent(Math.min(stamp, now), stamp), '/body/stamp_us', `${stamp}`)
  assert.equal(await sent(now + 60e6, now), 'received') // a clock that was put back in between
  for (const created of [1, -5, now + 2 * 3600e6, now - 1000 * day]) assert.equal(await sent(created, now), '/body/created_us', `${created}`)
})
