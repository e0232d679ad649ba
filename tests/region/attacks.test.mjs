// Every row of the protocol's failure table and of the attack matrix that a hostile or broken consumer can play, against a real provider.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { edPrivate, keyRead, leafOf, Peer, uuid7 } from '../lib/peer.mjs'
import { Region, startCase, until } from '../lib/region.mjs'

let r, me, company, auditor
before(async () => {
  r = await Region.make({ suites: { '110000': 'ed25519-sha256', '120000': 'ed25519-sha256', '130000': 'sm2-sm3', '133100': 'ed25519-sha256' } })
  await r.startAll()
  auditor = await r.signedIn(to, 'auditor')
  me = new Peer(r, '120000')
  r.run('generate', join(r.dir, 'g'), '--code', '110000', '--region', r.regionDir, '--people', '200', '--seed', '20260101')
  company = JSON.parse(readFileSync(join(r.dir, 'g/legal-persons.jsonl'), 'utf8').split('\n')[0])
})
after(() => r?.close())

const to = '110000'
const grant = 'legal-persons-verify-110000-120000'
const verifyLine = (extra = {}, body = {}) =>
  me.line(to, 'verify', { register: 'legal-persons', key: { uscc: company.uscc }, claims: { name: company.name }, ...body }, { grant, purpose: { item: 'business-check' }, actor: { office: 'TJ-HALL' }, ...extra })
const size = async () => (await auditor.get('/exchange/v1/journal?limit=1')).json.head.size
const parsed = (answer) => ({ status: answer.status, problem: JSON.parse(answer.body.toString()) })
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
  const [first, second] = [verifyLine(), verifyLine()]
  assert.deepEqual((await me.ask(to, [second, first, second])).lines.map((l) => l.status), [200, 200, 409])
})

test('truncated, altered and wrongly rooted batches are refused whole, and journaled', async () => {
  const lines = [verifyLine(), verifyLine()].map((l) => JSON.stringify(l))
  const whole = Buffer.from(`${lines.join('\n')}\n`)
  const before_ = await size()
  refused(await me.ask(to, lines, { body: whole.subarray(0, whole.length - 40), n: 2 }), 400, 'batch-truncated')
  refused(await me.ask(to, lines, { digestOf: Buffer.from('other') }), 403, 'content-digest')
  refused(await me.ask(to, lines, { body: Buffer.from(whole.toString().replace('verify', 'verifY')), digestOf: whole }), 403, 'content-digest')
  refused(await me.ask(to, lines, { rootLines: [lines[1], lines[0]] }), 403, 'wrong-root')
  refused(await me.ask(to, lines, { n: 3 }), 400, 'batch-truncated')
  await until('every refusal to be an entry', async () => (await size()) >= before_ + 5)
  const entries = (await auditor.get('/exchange/v1/journal?limit=200')).json.items.filter((e) => e.index >= before_ && e.peer === '120000')
  assert.deepEqual(entries.map((e) => e.direction), Array(5).fill('refused'), 'and no line was answered')
  // The same ids are fresh afterwards: none of them was acted on.
  assert.deepEqual((await me.ask(to, lines)).lines.map((l) => l.status), [200, 200])
})

test('a line moved to another batch does not hold there', async () => {
  const [a, b] = [JSON.stringify(verifyLine()), JSON.stringify(verifyLine())]
  refused(await me.ask(to, [a, b], { rootLines: [a] }), 403, 'wrong-root')
  // Taken from the signed batch of which it was a part, and put into another whose signature is as good: the root is of those lines.
  const other = me.batch(to, [JSON.stringify(verifyLine())])
  const moved = me.batch(to, [a, b])
  refused(await me.send(to, { ...other, body: moved.body, headers: { ...other.headers, 'Content-Digest': moved.headers['Content-Digest'] } }).then(parsed), 403, 'signature')
  refused(await me.send(to, { ...other, body: moved.body }).then(parsed), 403, 'content-digest')
})

test('a good signature under another tag, or with an algorithm in the message, counts for nothing', async () => {
  refused(await me.ask(to, [verifyLine()], { tag: 'tonghui-answer' }), 403, 'signature-tag')
  refused(await me.ask(to, [verifyLine()], { params: ';alg="ed25519"' }), 400, 'signature-malformed')
})

test('a downgraded or foreign suite is refused', async () => {
  refused(await me.ask(to, [verifyLine()], { suite: 'sm2-sm3' }), 403, 'suite-mismatch')
  refused(await me.ask(to, [verifyLine()], { suite: 'none' }), 400, 'batch-header')
  // A key of the other suite under the header of ours: what the key is decides, not what the message says.
  refused(await me.ask(to, [verifyLine()], { keyid: r.trust().signed.members.find((m) => m.code === '130000').keys[0].kid }), 403, 'unknown-key')
})

test('unknown keys, other members\' keys and strangers\' TLS are refused', async () => {
  refused(await me.ask(to, [verifyLine()], { keyid: '0123456789abcdef' }), 403, 'unknown-key')
  const own = edPrivate(Buffer.alloc(32, 7))
  refused(await me.ask(to, [verifyLine()], { key: own }), 403, 'signature')
  const journal = keyRead(r.nodes['120000'].dir, 'journal')
  refused(await me.ask(to, [verifyLine()], { keyid: journal.kid, key: journal.key }), 403, 'key-use')
  const other = new Peer(r, '133100')
  refused(await me.send(to, me.batch(to, [verifyLine()]), other.tls).then(parsed), 403, 'member-mismatch')
  // And the other way about: the line of one member signed with another's key, over its own TLS.
  refused(await me.ask(to, [verifyLine()], { keyid: other.message.kid, key: other.message.key }), 403, 'unknown-key')
  refused(await me.send(to, me.batch(to, [verifyLine()]), {}).then(parsed), 403, 'unknown-member')
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(r.dir, 'k.pem'), '-out', join(r.dir, 'c.pem'), '-days', '2', '-subj', '/CN=tonghui'], { stdio: 'ignore' })
  const stranger = { key: readFileSync(join(r.dir, 'k.pem')), cert: readFileSync(join(r.dir, 'c.pem')) }
  const before_ = await size()
  refused(await me.send(to, me.batch(to, [verifyLine()]), stranger).then(parsed), 403, 'unknown-member')
  assert.equal(await size(), before_, 'strangers cannot fill the journal')
})

test('the signed grants are for members, and are not signed anew for each who asks', async () => {
  const path = '/exchange/v1/grants:published'
  refused(parsed(await me.get(to, path, { cert: undefined, key: undefined })), 403, 'unknown-member')
  const read = async () => {
    const answer = await me.get(to, path)
    assert.equal(answer.status, 200, answer.body.toString())
    return JSON.parse(answer.body)
  }
  const all = []
  for (let i = 0; i < 20; i++) all.push(await read())
  assert.equal(new Set(all.map((d) => d.signatures[0].sig)).size <= 2, true, 'signed once, or twice where a minute ended between')
  // A change shows at once.
  const operator = await r.signedIn(to, 'operator')
  const one = all[0].signed.grants[0]
  assert.equal((await operator.post('/exchange/v1/grants', { ...one, id: 'published-test' })).status, 201)
  assert.ok((await read()).signed.grants.some((g) => g.id === 'published-test'))
  assert.equal((await operator.call('DELETE', '/exchange/v1/grants/published-test')).status, 200)
  assert.ok(!(await read()).signed.grants.some((g) => g.id === 'published-test'))
})

test('a forged receiver or sender changes nothing', async () => {
  const wrongTo = await me.ask(to, [{ ...verifyLine(), to: '133100' }, verifyLine()])
  assert.deepEqual(wrongTo.lines.map((l) => l.status), [403, 200])
  const withFrom = await me.ask(to, [{ ...verifyLine(), from: '133100' }, verifyLine()])
  assert.deepEqual(withFrom.lines.map((l) => l.status), [400, 200])
  assert.deepEqual(withFrom.lines[0].problem.errors.map((e) => e.pointer), ['/from'])
  refused(await me.ask(to, [verifyLine()], { to: '133100' }), 403, 'wrong-receiver')
  refused(await me.ask(to, [verifyLine()], { from: '130000' }), 403, 'member-mismatch')
  const other = await me.ask(to, [verifyLine()], { uri: `https://127.0.0.1:${r.nodes['133100'].peerPort}/exchange/v1/batch` })
  refused(other, 403, 'signature')
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
  // Widened by one field that the register would verify: the provider's own copy of the grant decides, whatever the consumer's says.
  const narrow = { id: 'narrow-one', provider: to, register: 'legal-persons', operation: 'verify', fields: ['name'], consumer: { member: '120000' }, purposes: ['business-check'], basis: { zh: '测试第一条', en: 'test, article 1' }, consent: 'none', rate: 0, not_before: '2020-01-01T00:00:00Z', not_after: '2031-01-01T00:00:00Z' }
  writeFileSync(join(r.dir, 'narrow.json'), JSON.stringify(narrow))
  r.run('grant', 'add', join(r.dir, 'narrow.json'), '--node', r.nodes[to].dir)
  await until('the grant to be read', async () => (await types([verifyLine({ grant: 'narrow-one' })]))[0] === undefined)
  assert.deepEqual(await types([verifyLine({ grant: 'narrow-one' }, { claims: { name: company.name, status: 'existing' } })]), ['grant-field'])
  assert.deepEqual(await types([verifyLine({ grant: 'narrow-one', type: 'query' }, { claims: undefined, fields: ['name'] })]), ['grant-operation'])
  // Entered while it holds, asked with when it is over: one that is over already is not taken.
  const expired = { id: 'expired-one', provider: to, register: 'legal-persons', operation: 'verify', fields: ['name'], consumer: { member: '120000' }, purposes: ['*'], basis: { zh: '测试第一条', en: 'test, article 1' }, consent: 'none', rate: 0, not_before: '2020-01-01T00:00:00Z', not_after: new Date(Date.now() + 5000).toISOString() }
  writeFileSync(join(r.dir, 'grant.json'), JSON.stringify(expired))
  r.run('grant', 'add', join(r.dir, 'grant.json'), '--node', r.nodes[to].dir)
  await until('the grant to be read', async () => (await types([verifyLine({ grant: 'expired-one' })]))[0] === 'grant-expired')
})

test('one bad line in a batch gets its own problem; the others are answered', async () => {
  const deep = `{"id":"${uuid7()}","type":"verify","to":"110000","at":"2026-01-01T00:00:00Z","body":${'['.repeat(10000)}${']'.repeat(10000)}}`
  const answer = await me.ask(to, [verifyLine(), 'not json', deep, verifyLine({}, { claims: { name: 7 } }), verifyLine({}, { unknown: true, claims: {} }), { ...verifyLine(), id: 'x' }, { ...verifyLine(), type: 'gift' }, verifyLine()])
  assert.equal(answer.status, 200, JSON.stringify(answer.problem))
  assert.equal(answer.checked, true)
  assert.deepEqual(answer.lines.map((l) => l.status), [200, 400, 400, 400, 400, 400, 422, 200])
  assert.equal(answer.lines[1].id, '', 'what could not be read has no id')
})

test('limits: 1,001 lines, a line of 64 KiB and a byte, a batch over 4 MiB', async () => {
  const many = Array.from({ length: 1001 }, () => '{}')
  refused(await me.ask(to, many), 400, 'batch-header')
  refused(await me.ask(to, many, { n: 1000 }), 413, 'batch-lines')
  assert.equal((await me.ask(to, many.slice(0, 1000))).status, 200, 'a thousand are taken')
  const sized = (n) => {
    const text = JSON.stringify(verifyLine({}, { claims: { name: '' } }))
    return text.replace('"name":""', `"name":"${'x'.repeat(n - text.length)}"`)
  }
  assert.equal(sized(65536).length, 65536)
  const long = await me.ask(to, [sized(65537), verifyLine(), sized(65536)])
  assert.equal(long.status, 200, JSON.stringify(long.problem))
  assert.deepEqual(long.lines.map((l) => l.problem?.type.replace('urn:tonghui:problem:', '')), ['line-too-long', undefined, 'invalid-request'])
  const huge = await me.send(to, me.batch(to, Array.from({ length: 70 }, () => 'x'.repeat(63 * 1024)))).catch(() => ({ status: 413 }))
  assert.equal(huge.status, 413)
})

test('clocks: six minutes behind or 31 seconds ahead is refused with both clocks, and the skew is a metric', async () => {
  const gauge = async () => Number(/tonghui_peer_skew_microseconds\{peer="120000"\} (-?\d+)/.exec((await r.client(to).get('/metrics')).text)?.[1])
  for (const off of [-360, 32]) {
    const now = Math.floor(Date.now() / 1000)
    const answer = await me.ask(to, [verifyLine()], { created: now + off, expires: now + 1000 })
    assert.equal(answer.lines[0].status, 403)
    const { type, title_en } = answer.lines[0].problem
    assert.match(type, /:clock-skew$/)
    const clocks = title_en.match(/\d{4}-\d\d-\d\dT[\d:.]+Z/g).map((t) => Date.parse(t) / 1000)
    assert.equal(clocks.length, 2, title_en)
    assert.ok(Math.abs(clocks[0] - clocks[1] - off) < 2, title_en)
    await until('the skew as a metric', async () => Math.abs((await gauge()) / 1e6 + off) < 2)
  }
  // Within the limits it is answered, and a clock that was put right is no longer told.
  for (const off of [-290, 28, 0]) {
    const now = Math.floor(Date.now() / 1000)
    const answer = await me.ask(to, [verifyLine()], { created: now + off, expires: now + off + 300 })
    assert.equal(answer.lines[0].status, 200, JSON.stringify(answer.lines[0]))
  }
  await until('no skew', async () => (await gauge()) === 0)
  const now = Math.floor(Date.now() / 1000)
  const old = await me.ask(to, [verifyLine()], { created: now - 200, expires: now - 100 })
  assert.equal(old.lines[0].status, 403, 'a signature whose time is over')
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

test('evidence that comes with a case is believed as far as its register’s receipt goes, and no further', async () => {
  const citizen = await r.signedIn('120000', 'citizen')
  const started = await startCase(citizen)
  const real = await until('evidence', async () => {
    const c = (await citizen.get(`/cases/v1/cases/${started.json.id}`)).json
    return c.evidence.every((e) => e.state === 'answered') && c
  })
  const office = await r.signedIn('130000', 'clerk')
  const honest = await until('the honest case in Hebei', async () => {
    const c = await office.get(`/cases/v1/cases/${real.id}`)
    return c.status === 200 && c.json
  })
  assert.deepEqual(honest.evidence.map((e) => e.state), ['answered', 'answered'])
  const auditor = await r.signedIn('120000', 'auditor')
  const proofs = {}
  for (const e of real.evidence) {
    const { message, answer } = (await auditor.get(`/exchange/v1/receipts/${e.message}`)).json
    proofs[e.id] = { evidence: e.id, provider: e.provider.code, register: e.register, state: 'answered', results: e.results, message: e.message, receipt: e.receipt, question: message, answer, answered_us: Date.now() * 1000 }
  }
  const asked = JSON.parse(proofs.degree.question).body
  const secret = { id_number: asked.key.id_number, name: asked.claims.name, form: real.form }
  const all = { name: 'match', level: 'match' }
  const forged = { evidence: 'degree', provider: '110000', register: 'degrees', state: 'answered', results: all, message: uuid7(), receipt: {}, question: '{}', answer: '{}' }
  let seq = 910000
  const told = async (evidence, change = {}) => {
    const id = uuid7()
    const body = { case: id, number: `120000-20261125-${String(seq).padStart(8, '0')}`, item: 'HE-TALENT-CARD', channel: 'citizen', created_us: Date.now() * 1000, stamp_us: Date.now() * 1000, secret: { ...secret, ...change }, evidence, materials: [] }
    const answer = await me.ask('130000', [{ id: uuid7(), type: 'case.submitted', to: '130000', at: new Date().toISOString(), seq: seq++, purpose: { item: 'HE-TALENT-CARD', case: id }, body }])
    assert.equal(answer.lines?.[0].status, 200, JSON.stringify(answer.problem ?? answer.lines))
    return (await office.get(`/cases/v1/cases/${id}`)).json.evidence.map((e) => [e.id, e.state, e.problem ?? null, e.results ?? null])
  }
  const nothing = [['degree', 'refused', 'unproved', null], ['household', 'refused', 'not-asked', null]]
  assert.deepEqual(await told([forged]), nothing, 'a bare claim')
  assert.deepEqual(await told([proofs.degree]), nothing, 'the proof of another case')
  assert.deepEqual(await told([{ ...proofs.degree, answer: proofs.degree.answer.replace('match', 'mitch') }]), nothing, 'a changed answer')
  assert.deepEqual(await told([{ ...proofs.degree, evidence: 'zzz' }]), [['degree', 'refused', 'not-asked', null], ['household', 'refused', 'not-asked', null]], 'evidence that the item does not know')
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

test('leaf hashes of the protocol are what RFC 9162 says', () => {
  assert.equal(leafOf(Buffer.alloc(0)).toString('hex'), '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d')
})
