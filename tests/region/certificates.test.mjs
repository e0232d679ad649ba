// E-certificates between real processes: issued with the decision, kept where the case began, shown in part, checked at a third node, and
// whatever a status list may do wrong.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { Region, sleep, startCase, until } from '../lib/region.mjs'
import { jws, keyBinding, keyOf, sdJwt, statusList } from '../lib/jose.mjs'

let r, citizen, clerk, card
before(async () => {
  r = await Region.make()
  await r.startAll()
  citizen = await r.signedIn('120000', 'citizen')
  clerk = await r.signedIn('130000', 'clerk')
})
after(() => r?.close())

const check = async (code, presented, more = {}) => {
  const answer = await r.client(code).post('/certificates/v1/certificates:check', { presented, ...more })
  assert.equal(answer.status, 200, answer.text)
  return answer.json
}
const reason = async (...args) => (await check(...args)).reason?.type ?? 'valid'
const wallet = async () => (await citizen.get('/certificates/v1/wallet')).json.items
const present = async (id, body) => {
  const answer = await citizen.post(`/certificates/v1/wallet/${id}:present`, body)
  assert.equal(answer.status, 200, answer.text)
  return answer.json.presentation
}
async function decided(outcome, more = {}) {
  const started = await startCase(citizen)
  assert.equal(started.status, 201, started.text)
  const { id } = started.json
  await until('arrival in Hebei', async () => (await clerk.get('/cases/v1/cases?view=worklist')).json.items.some((c) => c.id === id))
  for (const [action, body] of [['accept', {}], ['decide', { outcome, ...more }]]) {
    const acted = await clerk.post(`/cases/v1/cases/${id}:${action}`, body)
    assert.equal(acted.status, 200, acted.text)
  }
  return id
}

test('a certificate is issued with the decision and lies in the wallet where the case began', async () => {
  const id = await decided('approved')
  const issued = (await clerk.get('/certificates/v1/certificates')).json.items.filter((c) => c.case === id)
  assert.equal(issued.length, 1) // at once: the same transaction
  assert.match(issued[0].number, /^1\.2\.156\.3005\.2\.11130000000140011L001\.11130000000140011L\.\d{14}\.001\.[0-9A-Z]$/)
  assert.equal(issued[0].wallet, '120000')
  card = await until('the certificate in the wallet', async () => (await wallet()).find((c) => c.id === issued[0].id))
  assert.equal(card.status, 'valid')
  assert.equal(card.issuer.code, '130000')
  assert.equal(card.simulated, true)
  assert.ok(card.fields.some((f) => f.name === 'education' && f.disclosure === 'selective'))
  assert.ok(!card.fields.some((f) => f.name === 'file_number')) // never leaves the issuer
  /* a refusal issues nothing */
  const before_ = (await clerk.get('/certificates/v1/certificates')).json.items.length
  await decided('refused', { reason: '不符合条件', law: '行政许可法第三十八条' })
  assert.equal((await clerk.get('/certificates/v1/certificates')).json.items.length, before_)
})

test('chosen fields are shown and nothing else; any node checks, the holder signs for one verifier', async () => {
  const shown = await present(card.id, { claims: ['education'], purpose: '测试' })
  const seen = await check('110000', shown)
  assert.equal(seen.valid, true, JSON.stringify(seen))
  assert.equal(seen.accepted, true)
  assert.deepEqual(seen.fields.map((f) => f.name).sort(), ['card_level', 'education', 'issued_on', 'valid_until'])
  assert.equal(seen.status.from, 'list')
  assert.ok(!shown.split('~').slice(1).some((d) => Buffer.from(d, 'base64url').toString().includes('id_number')))
  const bound = await present(card.id, { claims: [], audience: 'https://v.example', nonce: 'n-1' })
  const good = await check('133100', bound, { audience: 'https://v.example', nonce: 'n-1' })
  assert.equal(good.holder_signed, true)
  assert.equal(good.valid, true, JSON.stringify(good))
  assert.equal(await reason('133100', bound, { audience: 'https://v.example', nonce: 'n-2' }), 'holder-nonce')
  assert.equal(await reason('133100', bound, { audience: 'https://w.example', nonce: 'n-1' }), 'holder-audience')
  assert.equal(await reason('133100', shown, { audience: 'https://v.example', nonce: 'n-1' }), 'holder-missing')
  const history = (await citizen.get('/certificates/v1/wallet/shown')).json.items
  assert.deepEqual(history.find((s) => s.purpose === '测试').claims, ['education'])
  assert.equal((await citizen.post(`/certificates/v1/wallet/${card.id}:present`, { claims: [1] })).status, 400)
  const strange = await citizen.post(`/certificates/v1/wallet/${card.id}:present`, { claims: ['zzz'] })
  assert.equal(strange.status, 400, strange.text)
  assert.equal(strange.json.errors[0].pointer, '/claims/0')
  assert.equal((await (await r.signedIn('130000', 'citizen')).get(`/certificates/v1/wallet/${card.id}`)).status, 404)
  const square = (await citizen.get(`/certificates/v1/wallet/${card.id}`)).json.square_text
  const bySquare = await check('110000', square)
  assert.equal(bySquare.valid, true, JSON.stringify(bySquare))
  assert.equal(bySquare.carrier, 'square')
  assert.match(await reason('110000', square.replace(/.$/, (c) => (c === 'A' ? 'B' : 'A'))), /^(status-encoding|offline-base45)$/)
})

test('suspending, restoring and revoking are seen at every node within a second', async () => {
  const shown = await present(card.id, { claims: [] })
  const square = (await citizen.get(`/certificates/v1/wallet/${card.id}`)).json.square_text
  const act = (action, body) => clerk.post(`/certificates/v1/certificates/${card.id}:${action}`, body)
  await sleep(2100) // the list then has a past
  assert.equal((await act('suspend', { law: '行政许可法第六十九条' })).status, 400) // no reason
  assert.equal((await act('suspend', { reason: '核查中' })).status, 400) // no law
  assert.equal((await act('restore', { reason: '恢复' })).status, 409)
  assert.equal((await (await r.signedIn('110000', 'clerk')).post(`/certificates/v1/certificates/${card.id}:suspend`, { reason: 'x', law: 'y' })).status, 404)
  for (const [action, body, type, state] of [
    ['suspend', { reason: '核查中', law: '行政许可法第六十九条' }, 'certificate-suspended', 'suspended'],
    ['restore', { reason: '核查无误' }, 'valid', 'valid'],
    ['revoke', { reason: '以欺骗手段取得', law: '行政许可法第六十九条第二款' }, 'certificate-revoked', 'revoked'],
  ]) {
    const from = Date.now()
    const acted = await act(action, body)
    assert.equal(acted.status, 200, acted.text)
    assert.equal(acted.json.status, state)
    assert.equal(await reason('130000', shown), type)
    for (const code of ['110000', '120000', '133100'])
      await until(`${action} at ${code}`, async () => (await reason(code, shown)) === type && (await reason(code, square)) === type, 3000)
    const took = Date.now() - from
    assert.ok(took < 1500, `${action} took ${took} ms to be seen and checked at all nodes`)
    await until('the wallet', async () => (await wallet()).find((c) => c.id === card.id).status === state)
  }
  assert.equal((await act('restore', { reason: 'x' })).status, 409) // for good
  const whole = (await clerk.get(`/certificates/v1/certificates/${card.id}`)).json
  assert.deepEqual(whole.changes.map((c) => c.operation), ['03', '06', '05'])
})

test('a list as it stood on an earlier day, as JWT and as CWT, and all lists in one place', async () => {
  const base = r.nodes['130000'].portal
  const all = await (await fetch(`${base}/certificates/v1/statuslists`)).json()
  assert.deepEqual(all.status_lists, [`${base}/certificates/v1/statuslists/1`])
  const got = await fetch(all.status_lists[0], { headers: { Accept: 'application/statuslist+jwt' } })
  assert.equal(got.headers.get('content-type'), 'application/statuslist+jwt')
  const payload = JSON.parse(Buffer.from((await got.text()).split('.')[1], 'base64url'))
  assert.equal(payload.sub, all.status_lists[0])
  assert.equal(payload.status_list.bits, 2)
  const cwt = await fetch(all.status_lists[0], { headers: { Accept: 'application/statuslist+cwt' } })
  assert.equal(cwt.headers.get('content-type'), 'application/statuslist+cwt')
  assert.equal((await cwt.arrayBuffer()).byteLength > 50, true)
  const { inflateSync } = await import('node:zlib')
  const ones = (token) => [...inflateSync(Buffer.from(JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).status_list.lst, 'base64url'))].reduce((n, b) => n + (b ? 1 : 0), 0)
  const changed = (await clerk.get(`/certificates/v1/certificates/${card.id}`)).json.changes.map((c) => Math.floor(Date.parse(c.at) / 1000))
  await until('the second after', () => Date.now() / 1000 > changed[2] + 2)
  assert.equal(ones(await (await fetch(`${all.status_lists[0]}?time=${changed[2] + 1}`)).text()), 1)
  assert.equal(ones(await (await fetch(`${all.status_lists[0]}?time=${changed[0] - 1}`)).text()), 0)
  const early = await fetch(`${all.status_lists[0]}?time=${changed[0] - 86400}`)
  assert.equal(early.status, 404)
  assert.equal((await fetch(`${all.status_lists[0]}?time=${Math.floor(Date.now() / 1000) + 9999}`)).status, 400)
  assert.equal((await fetch(`${base}/certificates/v1/statuslists/77`)).status, 404)
  const keys = await (await fetch(`${base}/.well-known/jwt-vc-issuer`)).json()
  assert.equal(keys.issuer, base)
  assert.deepEqual(keys.jwks.keys.map((k) => k.alg).sort(), ['ES256', 'SGD_SM3_SM2'])
})

test('a wallet of the holder\'s own: bound to her key, given to her, checked like any other', async () => {
  const own = keyOf(r.nodes['120000'].dir) // any P-256 key will do
  const issued = await clerk.post('/certificates/v1/certificates', { type: 'HE-TALENT-CARD', holder: { id: '110101199003070011', name: '张伟', key: own.jwk }, fields: { card_level: 'A 类', education: '博士研究生', file_number: 'X-1' } })
  assert.equal(issued.status, 201, issued.text)
  const { token } = issued.json
  assert.ok(!token.includes('X-1') && !token.split('~').some((d) => Buffer.from(d, 'base64url').toString().includes('file_number')))
  const shown = keyBinding(token, own, { aud: 'v', nonce: 'n' })
  assert.equal(await reason('110000', shown, { audience: 'v', nonce: 'n' }), 'valid')
  assert.equal(await reason('110000', keyBinding(token, keyOf(r.nodes['133100'].dir), { aud: 'v', nonce: 'n' }), { audience: 'v', nonce: 'n' }), 'holder-signature')
})

test('orders are refused field by field', async () => {
  const post = (body) => clerk.post('/certificates/v1/certificates', body)
  const good = { type: 'HE-TALENT-CARD', holder: { id: '110101199003070011', name: '张伟' }, fields: { card_level: 'A 类', education: '博士研究生' } }
  for (const [change, status, pointer] of [
    [{ type: 'NOTHING' }, 422],
    [{ type: 'TJ-SKILL-LEVEL', fields: { occupation: '焊工', grade: '3' } }, 400, '/fields/grade'],
    [{ type: 'BUILDING-QUALIFICATION' }, 403],
    [{ holder: { id: '110101199003070012', name: '张伟' } }, 400, '/holder/id'],
    [{ holder: { id: '110101199003070011', name: '\u202e张伟' } }, 400, '/holder/name'],
    [{ holder: { id: '110101199003070011', name: '张伟', key: { kty: 'RSA' } } }, 400, '/holder/key'],
    [{ fields: { card_level: 'A 类' } }, 400, '/fields/education'],
    [{ fields: { card_level: 'A 类', education: 'x', extra: 'y' } }, 400, '/fields'],
    [{ fields: { card_level: '', education: 'x' } }, 400, '/fields/card_level'],
    [{ fields: { card_level: 'a\u0000b', education: 'x' } }, 400, '/fields/card_level'],
    [{ fields: [] }, 400, '/fields'],
    [{ more: 1 }, 400],
  ]) {
    const answer = await post({ ...good, ...change })
    assert.equal(answer.status, status, `${JSON.stringify(change)} → ${answer.text}`)
    if (pointer) assert.ok(answer.json.errors.some((e) => e.pointer === pointer), answer.text)
  }
  assert.equal((await citizen.post('/certificates/v1/certificates', good)).status, 403)
  assert.equal((await r.client('130000').post('/certificates/v1/certificates', good)).status, 401)
})

test('tokens that lie about their issuer, type or key are refused', async () => {
  const he = keyOf(r.nodes['130000'].dir), tj = keyOf(r.nodes['120000'].dir)
  const portal = r.nodes['130000'].portal
  const now = Math.floor(Date.now() / 1000)
  const vct = 'urn:tonghui:jingjinji:talent-card:1'
  const good = { iss: portal, iat: now, vct, number: 'x', status: { status_list: { idx: 3, uri: `${portal}/certificates/v1/statuslists/1` } } }
  const told = (payload, key = he, header = {}) => reason('110000', sdJwt(payload, { name: 'x' }, key, header))
  /* a place that was never given away: the list says 0 of it, the issuer knows better */
  assert.equal(await reason('130000', sdJwt(good, {}, he)), 'status-index')
  for (const [what, payload, key, header, type] of [
    ['key of another member', good, { ...tj, kid: he.kid }, {}, 'jws-signature'],
    ['another member\'s certificate', good, tj, {}, 'issuer-address'],
    ['no such key', good, { ...he, kid: 'deadbeefdeadbeef' }, {}, 'unknown-key'],
    ['a path as key id', good, he, { kid: '../../../../etc/passwd' }, 'unknown-key'],
    ['an injected key id', good, he, { kid: "' OR 1=1 --" }, 'unknown-key'],
    ['a message key', good, { ...keyOf(r.nodes['120000'].dir, 'message') }, {}, 'key-use'],
    ['unknown type', { ...good, vct: 'urn:other' }, he, {}, 'certificate-type'],
    ['not entitled', { ...good, iss: r.nodes['120000'].portal }, tj, {}, 'issuer-not-entitled'],
    ['expired', { ...good, exp: now - 10 }, he, {}, 'sdjwt-expired'],
    ['no time of issue', { ...good, iat: undefined }, he, {}, 'sdjwt-time'],
    ['before the key', { ...good, iat: now - 86400 * 400 }, he, {}, 'early-key'],
    ['no status', { ...good, status: undefined }, he, {}, 'status-reference'],
    ['index -1', { ...good, status: { status_list: { idx: -1, uri: good.status.status_list.uri } } }, he, {}, 'status-reference'],
    ['index 1.5', { ...good, status: { status_list: { idx: 1.5, uri: good.status.status_list.uri } } }, he, {}, 'status-reference'],
    ['index as text', { ...good, status: { status_list: { idx: '1', uri: good.status.status_list.uri } } }, he, {}, 'status-reference'],
    ['index beyond', { ...good, status: { status_list: { idx: 1 << 20, uri: good.status.status_list.uri } } }, he, {}, 'status-index'],
    ['a list elsewhere', { ...good, status: { status_list: { idx: 1, uri: 'http://127.0.0.1:1/x' } } }, he, {}, 'status-address'],
    ['another member\'s list', { ...good, status: { status_list: { idx: 1, uri: `${r.nodes['120000'].portal}/certificates/v1/statuslists/1` } } }, he, {}, 'status-address'],
    ['no such list', { ...good, status: { status_list: { idx: 1, uri: `${portal}/certificates/v1/statuslists/55` } } }, he, {}, 'status-unreachable'],
  ])
    assert.equal(await told(payload, key, header), type, what)
  for (const text of ['', ' ', 'x', '~', 'TH1:', 'TH1:%%', 'a.b.c~', '{"valid":true}', '\u0000']) {
    const answer = await r.client('110000').post('/certificates/v1/certificates:check', { presented: text })
    assert.ok(answer.status === 400 || (answer.status === 200 && answer.json.valid === false), `${JSON.stringify(text)} → ${answer.text}`)
  }
})

test('whatever a status list does wrong, the answer is no, with its reason', async () => {
  const he = keyOf(r.nodes['130000'].dir), tj = keyOf(r.nodes['120000'].dir)
  const { portal, port } = r.nodes['130000']
  const now = Math.floor(Date.now() / 1000)
  const uri = (n) => `${portal}/certificates/v1/statuslists/${n}`
  const jwt = (body, type = 'application/statuslist+jwt') => (response) => response.writeHead(200, { 'Content-Type': type }).end(body)
  const none = statusList(uri(4), he).split('.')
  const cases = {
    1001: ['valid', jwt(statusList(uri(1001), he))],
    1002: ['status-unreachable', (response) => response.writeHead(404).end()],
    1003: ['status-unreachable', (response) => response.writeHead(302, { Location: uri(1003) }).end()],
    1004: ['jws-alg', jwt([Buffer.from('{"alg":"none","typ":"statuslist+jwt"}').toString('base64url'), none[1], 'AA'].join('.'))],
    1005: ['jws-signature', jwt(statusList(uri(1005), { ...tj, kid: he.kid }))],
    1006: ['status-issuer', jwt(statusList(uri(1006), tj))],
    1007: ['status-expired', jwt(statusList(uri(1007), he, { iat: now - 7200, exp: now - 3600 }))],
    1008: ['status-address', jwt(statusList(uri(9), he))],
    1009: ['status-bits', jwt(statusList(uri(1009), he, { bits: 3 }))],
    1010: ['status-too-large', jwt(statusList(uri(1010), he, { bytes: Buffer.alloc(256 << 20) }))],
    1011: ['status-encoding', jwt(statusList(uri(1011), he, { lst: 'AAAA' }))],
    1012: ['status-index', jwt(statusList(uri(1012), he, { bytes: Buffer.alloc(0) }))],
    1013: ['status-type', jwt(statusList(uri(1013), he, { header: { typ: 'JWT' } }))],
    1014: ['status-type', jwt(statusList(uri(1014), he), 'text/html')],
    1015: ['status-unreachable', (response) => response.writeHead(200, { 'Content-Type': 'application/statuslist+jwt' }).end(Buffer.alloc(8 << 20, 65))],
    1016: ['status-unreachable', (response) => response.destroy()],
    1017: ['certificate-suspended', jwt(statusList(uri(1017), he, { bytes: Buffer.from([2 << 2, ...Buffer.alloc(31)]) }))],
    1018: ['certificate-revoked', jwt(statusList(uri(1018), he, { bytes: Buffer.from([1 << 2, ...Buffer.alloc(31)]) }))],
    1019: ['certificate-status', jwt(statusList(uri(1019), he, { bytes: Buffer.from([3 << 2, ...Buffer.alloc(31)]) }))],
    1020: ['status-unreachable', () => {}], // never answers
    1021: ['unknown-key', jwt(statusList(uri(1021), { ...he, kid: '0000000000000000' }))],
    1022: ['status-early', jwt(statusList(uri(1022), he, { iat: now + 3000 }))],
  }
  await r.stop('130000')
  let asked = {}
  const fake = createServer((request, response) => {
    const n = request.url.split('/').pop()
    asked[n] = (asked[n] ?? 0) + 1
    cases[n] ? cases[n][1](response) : response.writeHead(404).end()
  })
  await new Promise((done) => fake.listen(port, '127.0.0.1', done))
  try {
    const tokenFor = (n) => sdJwt({ iss: portal, iat: now, vct: 'urn:tonghui:jingjinji:talent-card:1', number: 'x', status: { status_list: { idx: 1, uri: uri(n) } } }, {}, he)
    await Promise.all(Object.entries(cases).map(async ([n, [type]]) => assert.equal(await reason('133100', tokenFor(n)), type, `list ${n}`)))
    assert.equal(asked[1003], 1) // the redirect was not followed
    /* a list is fetched once within its ttl, and believed no longer than that */
    cases[2000] = ['valid', jwt(statusList(uri(2000), he, { ttl: 2 }))]
    assert.equal(await reason('133100', tokenFor(2000)), 'valid')
    assert.equal(await reason('133100', tokenFor(2000)), 'valid')
    assert.equal(asked[2000], 1)
    cases[2000] = ['', (response) => response.writeHead(503).end()]
    await sleep(2100)
    assert.equal(await reason('133100', tokenFor(2000)), 'status-unreachable')
  } finally {
    fake.closeAllConnections()
    await new Promise((done) => fake.close(done))
    await r.start('130000')
  }
})

test('the page: sealed by the issuer, printed at either node, checked as a whole', async () => {
  const id = await decided('approved')
  const issued = (await clerk.get('/certificates/v1/certificates')).json.items.find((c) => c.case === id)
  await until('the wallet', async () => (await wallet()).some((c) => c.id === issued.id))
  const page = async (client, path) => {
    const response = await fetch(client.base + path, { headers: { Cookie: client.cookie } })
    return { status: response.status, type: response.headers.get('content-type'), bytes: new Uint8Array(await response.arrayBuffer()) }
  }
  const checked = async (bytes) => (await r.client('133100').call('POST', '/certificates/v1/certificates:check-page', bytes, { 'Content-Type': 'application/pdf' })).json
  for (const [client, path] of [[clerk, `/certificates/v1/certificates/${issued.id}.pdf`], [citizen, `/certificates/v1/wallet/${issued.id}.pdf`]]) {
    const got = await page(client, path)
    assert.equal(got.status, 200)
    assert.equal(got.type, 'application/pdf')
    assert.ok(got.bytes.length < 200000, `${got.bytes.length} bytes`)
    const seen = await checked(got.bytes)
    assert.equal(seen.valid, true, JSON.stringify(seen))
    assert.equal(seen.carrier, 'page')
    assert.equal(seen.number, issued.number)
    assert.ok(!seen.fields.some((f) => f.name === 'id_number')) // not printed, not attached
    const text = Buffer.from(got.bytes).toString('latin1')
    assert.equal(text.split('/EmbeddedFile ').length - 1, 2) // ES256, and SM2 as this node's suite is
    const touched = got.bytes.slice()
    touched[300] ^= 1
    assert.equal((await checked(touched)).reason.type, 'page-signature')
    assert.equal((await checked(Buffer.concat([got.bytes, Buffer.from('\n')]))).reason.type, 'page-signature')
  }
  assert.equal((await checked(Buffer.from('%PDF-1.4\nnothing'))).reason.type, 'page-unsigned')
  assert.equal((await page(citizen, `/certificates/v1/certificates/${issued.id}.pdf`)).status, 403) // she is no clerk
  assert.equal((await r.client('130000').post(`/certificates/v1/pages/${issued.id}`, { key: '0'.repeat(64) })).status, 404)
  const svg = await page(citizen, `/certificates/v1/wallet/${issued.id}.svg`)
  assert.equal(svg.type, 'image/svg+xml')
  const kept = await page(clerk, `/certificates/v1/certificates/${issued.id}.pdf`)
  assert.equal((await clerk.post(`/certificates/v1/certificates/${issued.id}:suspend`, { reason: '核查', law: '行政许可法第六十九条' })).status, 200)
  await until('the status', async () => (await checked(kept.bytes)).reason?.type === 'certificate-suspended', 3000)
  assert.equal((await page(clerk, `/certificates/v1/certificates/${issued.id}.pdf`)).status, 409)
  assert.equal((await page(citizen, `/certificates/v1/wallet/${issued.id}.pdf`)).status, 409)
})

test('a clerk asks, the citizen sees what would be shown and agrees; the answer is for that clerk, once', async () => {
  const asker = await r.signedIn('110000', 'clerk')
  const ask = async (client, body) => {
    const asked = await client.post('/certificates/v1/oid4vp/request', body)
    assert.equal(asked.status, 201, asked.text)
    return asked.json
  }
  const id = await decided('approved')
  const issued = (await clerk.get('/certificates/v1/certificates')).json.items.find((c) => c.case === id)
  await until('the wallet', async () => (await wallet()).some((c) => c.id === issued.id))
  const asked = await ask(asker, { purpose: '办理居住证', type: 'HE-TALENT-CARD', claims: ['holder_name', 'education'] })
  assert.match(asked.client_id, /^x509_hash:[\w-]{43}$/)
  const seen = await citizen.post('/certificates/v1/wallet:resolve', { request: asked.link })
  assert.equal(seen.status, 200, seen.text)
  assert.equal(seen.json.verifier.code, '110000')
  assert.equal(seen.json.purpose, '办理居住证')
  assert.equal(seen.json.can_answer, true)
  const match = seen.json.wanted[0].matches.find((m) => m.certificate === issued.id)
  assert.deepEqual(match.discloses.filter((d) => !d.always).map((d) => d.name), ['holder_name', 'education'])
  assert.ok(!seen.json.wanted[0].matches.some((m) => m.certificate === card.id)) // revoked: not offered
  assert.equal((await asker.get(`/certificates/v1/oid4vp/response/${asked.id}`)).json.state, 'asked')
  const answered = await citizen.post('/certificates/v1/wallet:answer', { request: seen.json.request, choices: { certificate: issued.id } })
  assert.equal(answered.status, 200, answered.text)
  const result = (await asker.get(`/certificates/v1/oid4vp/response/${asked.id}`)).json
  assert.equal(result.state, 'answered')
  const [{ check: shown }] = result.result.credentials
  assert.equal(shown.valid && shown.holder_signed, true)
  assert.deepEqual(shown.fields.map((f) => f.name).sort(), ['card_level', 'education', 'holder_name', 'issued_on', 'valid_until'])
  assert.equal((await (await r.signedIn('110000', 'duty')).get(`/certificates/v1/oid4vp/response/${asked.id}`)).status, 404)
  const twice = await citizen.post('/certificates/v1/wallet:answer', { request: seen.json.request, choices: { certificate: issued.id } })
  assert.equal(twice.status, 422)
  assert.ok((await citizen.get('/certificates/v1/wallet/shown')).json.items.some((s) => s.verifier === '110000' && s.purpose === '办理居住证' && s.claims.join() === 'holder_name,education'))
  /* the same at her own node, by the address, and declined */
  const near = await ask(await r.signedIn('120000', 'clerk'), { purpose: '领取', dcql_query: { credentials: [{ id: 'c', format: 'dc+sd-jwt', meta: { vct_values: ['urn:tonghui:jingjinji:talent-card:1'] }, claims: [{ path: ['card_level'], values: ['B 类'] }] }] } })
  const open = await citizen.post('/certificates/v1/wallet:resolve', { request: near.request_uri })
  assert.equal(open.json.can_answer, true, open.text)
  assert.equal((await citizen.post('/certificates/v1/wallet:answer', { request: near.request_uri, decline: true })).status, 200)
  assert.equal((await (await r.signedIn('120000', 'clerk')).get(`/certificates/v1/oid4vp/response/${near.id}`)).json.state, 'refused')
  const gone = await citizen.post('/certificates/v1/wallet:resolve', { request: near.request_uri })
  assert.equal(gone.status, 409, gone.text)
  /* what is not there cannot be shown */
  const other = await ask(asker, { purpose: 'x', type: 'TJ-SKILL-LEVEL', claims: ['grade'] })
  const nothing = await citizen.post('/certificates/v1/wallet:resolve', { request: other.link })
  assert.equal(nothing.json.can_answer, false)
  assert.equal((await citizen.post('/certificates/v1/wallet:answer', { request: other.link, choices: { certificate: issued.id } })).status, 400)
  for (const body of [{}, { purpose: '' }, { purpose: 'x' }, { purpose: 'x', type: 'NOTHING' }, { purpose: 'x', dcql_query: { credentials: [] } }, { purpose: 'x', type: 'HE-TALENT-CARD', claims: 'name' }, { purpose: 'x', type: 'HE-TALENT-CARD', claims: [{}] }, { purpose: 'a\u0000', type: 'HE-TALENT-CARD' }])
    assert.equal((await asker.post('/certificates/v1/oid4vp/request', body)).status, 400, JSON.stringify(body))
})

test('answers that lie are refused and the question stays open; requests that lie are not read', async () => {
  const asker = await r.signedIn('110000', 'clerk')
  const asked = (await asker.post('/certificates/v1/oid4vp/request', { purpose: 'x', type: 'HE-TALENT-CARD', claims: ['education'] })).json
  const object = await (await fetch(asked.request_uri)).text()
  const said = JSON.parse(Buffer.from(object.split('.')[1], 'base64url'))
  const own = keyOf(r.nodes['120000'].dir)
  const token = (await clerk.post('/certificates/v1/certificates', { type: 'HE-TALENT-CARD', holder: { id: '110101199003070011', name: '张伟', key: own.jwk }, fields: { card_level: 'A 类', education: '博士研究生' } })).json.token
  const bound = (aud = said.client_id, nonce = said.nonce, key = own) => keyBinding(token, key, { aud, nonce })
  const send = (fields, type = 'application/x-www-form-urlencoded') => fetch(said.response_uri, { method: 'POST', headers: { 'Content-Type': type }, body: new URLSearchParams(fields).toString() })
  const vp = (text) => JSON.stringify({ certificate: [text] })
  for (const [what, fields, status, type] of [
    ['no state', { vp_token: vp(bound()) }, 403, 'request-state'],
    ['wrong state', { vp_token: vp(bound()), state: 'x'.repeat(said.state.length) }, 403, 'request-state'],
    ['no token', { state: said.state }, 422, 'vp-token'],
    ['no JSON', { vp_token: 'x', state: said.state }, 422, 'vp-token'],
    ['no list', { vp_token: JSON.stringify({ certificate: bound() }), state: said.state }, 422, 'vp-token'],
    ['another query', { vp_token: JSON.stringify({ other: [bound()] }), state: said.state }, 422, 'vp-token'],
    ['two for one', { vp_token: JSON.stringify({ certificate: [bound(), bound()] }), state: said.state }, 422, 'vp-token'],
    ['unbound', { vp_token: vp(token), state: said.state }, 422, 'holder-missing'],
    ['old nonce', { vp_token: vp(bound(said.client_id, 'old')), state: said.state }, 422, 'holder-nonce'],
    ['other audience', { vp_token: vp(bound('https://other')), state: said.state }, 422, 'holder-audience'],
    ['other holder', { vp_token: vp(bound(said.client_id, said.nonce, keyOf(r.nodes['133100'].dir))), state: said.state }, 422, 'holder-signature'],
    ['too little', { vp_token: vp(keyBinding(`${token.split('~')[0]}~`, own, { aud: said.client_id, nonce: said.nonce })), state: said.state }, 422, 'not-what-was-asked'],
  ]) {
    const answer = await send(fields)
    assert.equal(answer.status, status, what)
    assert.ok((await answer.json()).type.endsWith(type), what)
  }
  assert.equal((await send({ vp_token: vp(bound()), state: said.state }, 'application/json')).status, 415)
  assert.equal((await asker.get(`/certificates/v1/oid4vp/response/${asked.id}`)).json.state, 'asked')
  assert.equal((await send({ vp_token: vp(bound()), state: said.state })).status, 200)
  assert.equal((await send({ vp_token: vp(bound()), state: said.state })).status, 409)
  /* the wallet calls members only, and believes what they signed only */
  const resolve = (request) => citizen.post('/certificates/v1/wallet:resolve', { request })
  const bj = keyOf(r.nodes['110000'].dir)
  const header = JSON.parse(Buffer.from(object.split('.')[0], 'base64url'))
  const now = Math.floor(Date.now() / 1000)
  const forge = (change, key = bj, head = {}) => jws({ ...header, ...head }, { ...said, exp: now + 60, ...change }, key)
  for (const [what, request, status] of [
    ['another address', 'http://127.0.0.1:1/x', 403],
    ['a link to another address', `openid4vp://?client_id=x&request_uri=${encodeURIComponent('http://169.254.169.254/latest')}`, 403],
    ['a file', `openid4vp://?request_uri=${encodeURIComponent('file:///etc/passwd')}`, 403],
    ['no request', 'openid4vp://?client_id=x', 400],
    ['signed by another', forge({}, own), 403],
    ['another key id', forge({}, own, { kid: own.kid }), 403],
    ['answer elsewhere', forge({ response_uri: 'http://127.0.0.1:1/steal' }), 403],
    ['answer at another member', forge({ response_uri: `${r.nodes['133100'].portal}/x` }), 403],
    ['another mode', forge({ response_mode: 'fragment' }), 400],
    ['another name', forge({ client_id: 'x509_hash:AAAA' }), 403],
    ['another certificate', forge({}, bj, { x5c: ['AAAA'] }), 403],
    ['expired', forge({ exp: now - 1 }), 409],
    ['no query', forge({ dcql_query: {} }), 400],
    ['another type', jws({ ...header, typ: 'JWT' }, said, bj), 400],
    ['alg none', forge({}, bj, { alg: 'none' }), 400],
  ]) {
    const answer = await resolve(request)
    assert.equal(answer.status, status, `${what}: ${answer.text}`)
  }
  assert.equal((await resolve(forge({}))).status, 200)
})

test('when the decision falls the certificate falls with it', async () => {
  clerk = await r.signedIn('130000', 'clerk')
  const id = await decided('approved')
  const issued = (await clerk.get('/certificates/v1/certificates')).json.items.find((c) => c.case === id)
  const cancelled = await clerk.post(`/cases/v1/cases/${id}:cancel`, { reason: '本人申请注销', law: '行政许可法第七十条' })
  assert.equal(cancelled.status, 200, cancelled.text)
  assert.equal((await clerk.get(`/certificates/v1/certificates/${issued.id}`)).json.status, 'revoked')
  await until('the wallet', async () => (await wallet()).find((c) => c.id === issued.id)?.status === 'revoked')
})
