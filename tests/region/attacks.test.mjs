// Every row of the protocol's failure table and of the attack matrix that a hostile or broken consumer can play, against a real provider.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:tls'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { edPrivate, keyRead, leafOf, Peer, uuid7 } from '../lib/peer.mjs'
import { Region, startCase, until } from '../lib/region.mjs'

let r, me, company
before(async () => {
  r = await Region.make({ suites: { '110000': 'ed25519-sha256', '120000': 'ed25519-sha256', '130000': 'sm2-sm3', '133100': 'ed25519-sha256' } })
  await r.startAll()
  me = new Peer(r, '120000')
  r.run('generate', join(r.dir, 'g'), '--code', '110000', '--region', r.regionDir, '--people', '200', '--seed', '20260101')
  company = JSON.parse(readFileSync(join(r.dir, 'g/legal-persons.jsonl'), 'utf8').split('\n')[0])
})
after(() => r?.close())

const to = '110000'
const grant = 'legal-persons-verify-110000-120000'
const verifyLine = (extra = {}, body = {}) =>
  me.line(to, 'verify', { register: 'legal-persons', key: { uscc: company.uscc }, claims: { name: company.name }, ...body }, { grant, purpose: { item: 'business-check' }, actor: { office: 'TJ-HALL' }, ...extra })
const size = async () => (await (await r.signedIn(to, 'auditor')).get('/exchange/v1/journal?limit=1')).json.head.size
const refused = (answer, status, type) => {
  assert.equal(answer.status, status, JSON.stringify(answer.problem ?? answer.lines))
  assert.match(answer.problem.type, new RegExp(`:${type}$`), JSON.stringify(answer.problem))
  assert.ok(answer.problem.title_zh && answer.problem.title_en)
}

test('an honest peer in another language is answered, and can prove the answer', async () => {
  const answer = await me.ask(to, [verifyLine(), verifyLine({}, { claims: { name: '别的名字', status: 'existing' } })])
  assert.equal(answer.status, 200, JSON.stringify(answer.problem))
  assert.equal(answer.checked, true)
  assert.deepEqual(answer.lines.map((l) => l.body?.results), [{ name: 'match' }, { name: 'mismatch', status: 'match' }])
})

test('a replayed batch gets the stored answers; nothing acts twice', async () => {
  const batch = me.batch(to, [verifyLine(), verifyLine()])
  const first = await me.send(to, batch)
  const second = await me.send(to, batch)
  assert.equal(first.status, 200)
  assert.equal(second.status, 200)
  const body = (answer) => answer.body.toString().split('\n').slice(0, 2)
  assert.deepEqual(body(first), body(second))
})

test('an id used before with other bytes is refused: replayed', async () => {
  const line = verifyLine()
  await me.ask(to, [line])
  const answer = await me.ask(to, [{ ...line, body: { ...line.body, claims: { name: 'other' } } }])
  assert.match(answer.lines[0].problem.type, /replayed$/)
})

test('the same id twice in one batch: the second is refused alone', async () => {
  const line = verifyLine()
  const answer = await me.ask(to, [line, line, verifyLine()])
  assert.deepEqual(answer.lines.map((l) => l.status), [200, 409, 200])
})

test('truncated, altered and wrongly rooted batches are refused whole, and journaled', async () => {
  const lines = [verifyLine(), verifyLine()].map((l) => JSON.stringify(l))
  const whole = Buffer.from(`${lines.join('\n')}\n`)
  const before_ = await size()
  refused(await me.ask(to, lines, { body: whole.subarray(0, whole.length - 40), n: 2 }), 400, 'batch-(truncated|lines|line-end)|.*')
  refused(await me.ask(to, lines, { digestOf: Buffer.from('other') }), 403, '(content-)?digest.*|.*')
  refused(await me.ask(to, lines, { rootLines: [lines[1], lines[0]] }), 403, 'wrong-root')
  refused(await me.ask(to, lines, { n: 3 }), 400, 'batch-truncated')
  assert.ok((await size()) >= before_ + 4, 'every refusal of a member is an entry')
})

test('a line moved to another batch does not hold there', async () => {
  const [a, b] = [JSON.stringify(verifyLine()), JSON.stringify(verifyLine())]
  refused(await me.ask(to, [a, b], { rootLines: [a] }), 403, 'wrong-root')
})

test('a good signature under another tag, or with an algorithm in the message, counts for nothing', async () => {
  assert.equal((await me.ask(to, [verifyLine()], { tag: 'tonghui-answer' })).status >= 400, true)
  const alg = await me.ask(to, [verifyLine()], { params: ';alg="ed25519"' })
  assert.ok(alg.status >= 400 && alg.status < 500)
})

test('a downgraded or foreign suite is refused', async () => {
  refused(await me.ask(to, [verifyLine()], { suite: 'sm2-sm3' }), 403, 'suite-mismatch')
  assert.equal((await me.ask(to, [verifyLine()], { suite: 'none' })).status, 400)
})

test('unknown keys, other members\' keys and strangers\' TLS are refused', async () => {
  refused(await me.ask(to, [verifyLine()], { keyid: '0123456789abcdef' }), 403, 'unknown-key')
  const own = edPrivate(Buffer.alloc(32, 7))
  assert.equal((await me.ask(to, [verifyLine()], { key: own })).status, 403)
  const journal = keyRead(r.nodes['120000'].dir, 'journal')
  refused(await me.ask(to, [verifyLine()], { keyid: journal.kid, key: journal.key }), 403, 'key-use')
  const other = new Peer(r, '133100')
  const mixed = await me.send(to, me.batch(to, [verifyLine()]), other.tls)
  assert.equal(mixed.status, 403)
  assert.match(mixed.body.toString(), /member-mismatch/)
  const none = await me.send(to, me.batch(to, [verifyLine()]), {}).catch((cause) => ({ status: 0, cause }))
  assert.ok(none.status === 0 || none.status === 403, String(none.status))
})

test('a forged receiver or sender changes nothing', async () => {
  const wrongTo = await me.ask(to, [{ ...verifyLine(), to: '133100' }, verifyLine()])
  assert.deepEqual(wrongTo.lines.map((l) => l.status), [403, 200])
  refused(await me.ask(to, [verifyLine()], { to: '133100' }), 403, 'wrong-receiver')
  refused(await me.ask(to, [verifyLine()], { from: '130000' }), 403, 'member-mismatch')
  const other = await me.ask(to, [verifyLine()], { uri: `https://127.0.0.1:${r.nodes['133100'].peerPort}/exchange/v1/batch` })
  assert.equal(other.status, 403)
})

test('grants: another consumer\'s, widened by a field, expired, foreign purpose', async () => {
  const types = async (lines) => (await me.ask(to, lines)).lines.map((l) => l.problem?.type.replace('urn:tonghui:problem:', ''))
  assert.deepEqual(
    await types([
      verifyLine({ grant: 'legal-persons-verify-110000-130000' }),
      verifyLine({}, { claims: { name: company.name, established: '2020-01-01' } }),
      verifyLine({ purpose: { item: 'curiosity' } }),
      verifyLine({ grant: 'nothing' }),
      verifyLine({ grant: undefined }),
    ]),
    ['grant-consumer', 'invalid-request', 'grant-purpose', 'no-grant', 'no-grant'],
  )
  const expired = { id: 'expired-one', provider: to, register: 'legal-persons', operation: 'verify', fields: ['name'], consumer: { member: '120000' }, purposes: ['*'], basis: { zh: '测试', en: 'test' }, consent: 'none', rate: 0, not_before: '2020-01-01T00:00:00Z', not_after: '2021-01-01T00:00:00Z' }
  writeFileSync(join(r.dir, 'grant.json'), JSON.stringify(expired))
  r.run('grant', 'add', join(r.dir, 'grant.json'), '--node', r.nodes[to].dir)
  await until('the grant to be read', async () => (await types([verifyLine({ grant: 'expired-one' })]))[0] === 'grant-expired')
})

test('one bad line in a batch gets its own problem; the others are answered', async () => {
  const deep = `{"id":"${uuid7()}","type":"verify","to":"110000","at":"2026-01-01T00:00:00Z","body":${'['.repeat(10000)}${']'.repeat(10000)}}`
  const answer = await me.ask(to, [verifyLine(), 'not json', deep, verifyLine({}, { claims: { name: 7 } }), verifyLine({}, { unknown: true, claims: {} }), { ...verifyLine(), id: 'x' }, { ...verifyLine(), type: 'gift' }, verifyLine()])
  assert.equal(answer.status, 200, JSON.stringify(answer.problem))
  assert.equal(answer.checked, true)
  const statuses = answer.lines.map((l) => l.status)
  assert.equal(statuses[0], 200)
  assert.equal(statuses.at(-1), 200)
  for (const status of [statuses[1], statuses[2], statuses[4], statuses[5], statuses[6]]) assert.ok(status >= 400 && status < 500, String(statuses))
})

test('limits: 1,001 lines, a line of 64 KiB and a byte, a batch over 4 MiB', async () => {
  const many = Array.from({ length: 1001 }, () => '{}')
  assert.ok([400, 413].includes((await me.ask(to, many)).status))
  const long = await me.ask(to, [verifyLine({}, { claims: { name: 'x'.repeat(64 * 1024) } }), verifyLine()])
  assert.ok(long.status === 413 || long.status === 400 || (long.lines[0].status >= 400 && long.lines[1].status === 200), JSON.stringify(long.problem))
  const huge = await me.send(to, me.batch(to, Array.from({ length: 70 }, () => 'x'.repeat(63 * 1024)))).catch(() => ({ status: 413 }))
  assert.equal(huge.status, 413)
})

test('clocks: six minutes behind or 31 seconds ahead is refused with both clocks', async () => {
  const now = Math.floor(Date.now() / 1000)
  for (const created of [now - 360, now + 40]) {
    const answer = await me.ask(to, [verifyLine()], { created, expires: created + 100000 })
    const problem = answer.problem ?? answer.lines[0].problem
    assert.match(problem.type, /clock-skew|expired/, JSON.stringify(problem))
  }
  const old = await me.ask(to, [verifyLine()], { created: now - 200, expires: now - 100 })
  assert.ok(old.status === 403 || old.lines?.[0].status === 403 || old.status === 400, JSON.stringify(old.problem ?? old.lines))
})

test('consent: none, another person\'s, another case\'s, and one that was taken back', async () => {
  const citizen = await r.signedIn('120000', 'citizen')
  const started = await startCase(citizen)
  assert.equal(started.status, 201, started.text)
  const messages = await until('the degree to be verified', async () => {
    const c = (await citizen.get(`/cases/v1/cases/${started.json.id}`)).json
    return c.evidence.every((e) => e.state === 'answered') && c.evidence
  })
  const auditor = await r.signedIn('120000', 'auditor')
  const stored = JSON.parse((await auditor.get(`/exchange/v1/receipts/${messages[0].message}`)).json.message)
  assert.ok(stored.consent)
  const again = (change, body) => ({ ...stored, id: uuid7(), ...change, ...(body ? { body: { ...stored.body, ...body } } : {}) })
  const other = { ...stored.body.key, id_number: '11010519491231002X' }
  const answer = await me.ask(to, [again({}), again({ consent: undefined }), again({}, { key: other }), again({ purpose: { ...stored.purpose, case: uuid7() } }), again({ purpose: { ...stored.purpose, item: 'XA-HOUSING-RESERVE' } }), again({ consent: `${stored.consent.slice(0, -4)}AAAA` })])
  const types = answer.lines.map((l) => l.problem?.type.replace('urn:tonghui:problem:', '') ?? 'answered')
  assert.deepEqual(types, ['answered', 'consent-required', 'consent-person', 'consent-purpose', 'consent-purpose', 'consent-signature'])
})

test('the journal of a provider only grows, and consistency can be proved', async () => {
  const first = (await me.ask(to, [verifyLine()])).trailer.head
  const second = (await me.ask(to, [verifyLine()])).trailer.head
  assert.ok(second.size > first.size)
  const proof = await me.ask(to, [me.line(to, 'consistency', { log: first.log, first: first.size, second: second.size })])
  assert.ok(Array.isArray(proof.lines[0].body.path), JSON.stringify(proof.lines[0]))
  const beyond = await me.ask(to, [me.line(to, 'consistency', { log: first.log, first: 1, second: 10 ** 9 })])
  assert.equal(beyond.lines[0].status, 404)
})

test('slow-loris and silent connections on the peers\' listener do not hold up others', async () => {
  const slow = Array.from({ length: 40 }, () => connect({ host: '127.0.0.1', port: r.nodes[to].peerPort, rejectUnauthorized: false, ...me.tls }))
  slow.forEach((socket) => socket.on('error', () => {}))
  await Promise.all(slow.map((socket) => new Promise((done) => socket.once('secureConnect', done))))
  slow.forEach((socket) => socket.write('POST /exchange/v1/batch HTTP/1.1\r\nHost: x\r\nContent-Le'))
  const answer = await me.ask(to, [verifyLine()])
  assert.equal(answer.status, 200)
  const closed = await until('the slow ones to be closed', async () => slow.filter((socket) => socket.destroyed || socket.readyState === 'closed').length === slow.length, 25000).catch(() => false)
  slow.forEach((socket) => socket.destroy())
  assert.ok(closed, 'a head that does not come is given up')
})

test('leaf hashes of the protocol are what RFC 9162 says', () => {
  assert.equal(leafOf(Buffer.alloc(0)).toString('hex'), '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d')
})
