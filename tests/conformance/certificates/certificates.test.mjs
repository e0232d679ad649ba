// Judges that others wrote: SD-JWT VC and status lists of npm @sd-jwt, SM2 and SM3 of npm sm-crypto, OpenID4VP of npm @openid4vc, and the examples of
// the status list's draft and of sd-jwt-js where the folder ../shared/data/vectors lies beside the project.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, verify, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { keyOf, sdJwt } from '../../lib/jose.mjs'
import { Region, root, startCase, until } from '../../lib/region.mjs'

const here = join(root, 'tests/conformance/certificates')
/* beside the project, or beside the folder of a work tree */
const vectors = ['../shared/data/vectors', '../../shared/data/vectors'].map((path) => join(root, path)).find(existsSync) ?? join(root, '../shared/data/vectors')
const build = process.env.TONGHUI_BINARY ? join(process.env.TONGHUI_BINARY, '../../..') : join(root, 'build-test')
const load = (name) => import(pathOf(name))
const require_ = createRequire(join(here, 'package.json'))
const pathOf = (name) => join(here, 'node_modules', name, JSON.parse(readFileSync(join(here, 'node_modules', name, 'package.json'), 'utf8')).module ?? 'dist/index.mjs')
const now = () => Math.floor(Date.now() / 1000)
const b64 = (bytes) => Buffer.from(bytes).toString('base64url')

let tool, SDJwtVcInstance, StatusList, getListFromStatusListJWT, vp
const waiting = []
/* One call of our own code. */
const ours = (call) =>
  new Promise((done) => {
    waiting.push(done)
    tool.stdin.write(`${JSON.stringify(call)}\n`)
  })

before(async () => {
  if (!existsSync(join(here, 'node_modules/sm-crypto'))) execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'], { cwd: here })
  ;({ SDJwtVcInstance } = await load('@sd-jwt/sd-jwt-vc'))
  ;({ StatusList, getListFromStatusListJWT } = await load('@sd-jwt/jwt-status-list'))
  vp = await load('@openid4vc/openid4vp')
  tool = spawn(join(build, 'tests/conformance/certificates/certificates_tool'), { stdio: ['pipe', 'pipe', 'inherit'] })
  createInterface({ input: tool.stdout }).on('line', (line) => waiting.shift()(JSON.parse(line)))
})
after(() => tool?.stdin.end())

/* ---- keys and the npm library's callbacks ---- */

function p256() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { privateKey, publicKey, jwk: publicKey.export({ format: 'jwk' }), secret: Buffer.from(privateKey.export({ format: 'jwk' }).d, 'base64url').toString('hex') }
}
const signer = (key) => async (data) => b64(sign('sha256', Buffer.from(data), { key: key.privateKey, dsaEncoding: 'ieee-p1363' }))
const verifier = (publicKey) => async (data, signature) => verify('sha256', Buffer.from(data), { key: publicKey, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'))
const hasher = async (data, alg) => new Uint8Array(createHash(alg.replace('-', '')).update(typeof data === 'string' ? data : Buffer.from(data)).digest())
const saltGenerator = async (n) => b64(randomBytes(n)).slice(0, n)
const theirs = (issuer, holder, more = {}) =>
  new SDJwtVcInstance({
    signer: signer(issuer), signAlg: 'ES256', verifier: verifier(issuer.publicKey), hasher, hashAlg: 'sha-256', saltGenerator,
    ...(holder ? { kbSigner: signer(holder), kbSignAlg: 'ES256', kbVerifier: async (data, signature, payload) => verifier(createPublicKey({ key: payload.cnf.jwk, format: 'jwk' }))(data, signature) } : {}),
    ...more,
  })

/* The frame of sd-jwt-js as ours: decoys aside, numbers of list elements as numbers. */
function frameOf(frame, claims) {
  const out = {}
  for (const [key, value] of Object.entries(frame)) {
    if (key === '_sd_decoy') continue
    out[key] = key === '_sd' ? value.map((k) => (Array.isArray(claims) ? Number(k) : String(k))) : frameOf(value, claims?.[key])
  }
  return out
}
/* {"a":true,"b":{"0":true}} → [["a"],["b",0]] */
function pathsOf(frame, claims, at = []) {
  return Object.entries(frame).flatMap(([key, value]) => {
    const step = [...at, Array.isArray(claims) ? Number(key) : key]
    return value === true ? [step] : pathsOf(value, claims?.[key], step)
  })
}
const cases = () =>
  existsSync(join(vectors, 'sd-jwt'))
    ? readdirSync(join(vectors, 'sd-jwt')).map((name) => ({ name, ...JSON.parse(readFileSync(join(vectors, 'sd-jwt', name), 'utf8')) }))
    : [
        /* our own small ones: the same shapes */
        { name: 'flat', claims: { sub: 'x', given_name: 'John', address: { city: '北京', zip: 1 } }, disclosureFrame: { _sd: ['sub', 'address'], address: { _sd: ['zip'] } }, presentationFrames: { address: { zip: true } }, presentedClaims: { given_name: 'John', address: { city: '北京', zip: 1 } } },
        { name: 'list', claims: { list: ['a', { b: 1, c: 2 }] }, disclosureFrame: { list: { _sd: [1], 1: { _sd: ['b'] } } }, presentationFrames: {}, presentedClaims: { list: ['a'] } },
      ]

test('tokens of npm @sd-jwt verify here, whole and as presented there', async (t) => {
  if (!existsSync(join(vectors, 'sd-jwt'))) t.diagnostic('skipped: the cases of sd-jwt-js (../shared/data/vectors/sd-jwt is not there); our own two are used')
  for (const c of cases()) {
    const issuer = p256(), holder = p256(), lib = theirs(issuer, holder)
    const claims = { iss: 'https://issuer.example', iat: now(), vct: 'urn:test', cnf: { jwk: holder.jwk }, ...c.claims }
    /* "iss" and "sub" may be disclosed in the library's cases; our rules of verifiable credentials forbid only what the draft forbids */
    const token = await lib.issue(claims, c.disclosureFrame, { header: { typ: 'dc+sd-jwt' } })
    const whole = await ours({ do: 'verify', token, jwk: issuer.jwk, now: now() })
    assert.deepEqual(whole.claims, { ...claims }, c.name)
    const shown = await lib.present(token, c.presentationFrames, { kb: { payload: { iat: now(), aud: 'v', nonce: 'n' } } })
    const seen = await ours({ do: 'verify', token: shown, jwk: issuer.jwk, now: now(), audience: 'v', nonce: 'n' })
    assert.equal(seen.bound, true, `${c.name}: ${JSON.stringify(seen)}`)
    const theirClaims = await lib.getClaims(shown)
    assert.deepEqual(seen.claims, theirClaims, c.name)
    assert.equal((await ours({ do: 'verify', token: shown, jwk: issuer.jwk, now: now(), audience: 'v', nonce: 'm' })).error, 'holder-nonce')
    assert.equal((await ours({ do: 'verify', token, jwk: holder.jwk, now: now() })).error, 'jws-signature')
  }
})

test('our tokens verify with npm @sd-jwt, whole, chosen from and bound to the holder', async () => {
  for (const c of cases()) {
    const issuer = p256(), holder = p256(), lib = theirs(issuer, holder)
    const claims = { iss: 'https://issuer.example', iat: now(), vct: 'urn:test', cnf: { jwk: holder.jwk }, ...c.claims }
    const { token } = await ours({ do: 'issue', suite: 'p256-sha256', secret: issuer.secret, claims, frame: frameOf(c.disclosureFrame, c.claims) })
    const whole = await lib.verify(token)
    assert.deepEqual(whole.payload, claims, c.name)
    assert.equal(whole.header.typ, 'dc+sd-jwt')
    const { token: chosen } = await ours({ do: 'select', token, paths: pathsOf(c.presentationFrames, c.claims) })
    const { token: bound } = await ours({ do: 'bind', token: chosen, suite: 'p256-sha256', secret: holder.secret, audience: 'v', nonce: 'n', now: now() })
    const seen = await lib.verify(bound, undefined, true)
    assert.equal(seen.kb.payload.nonce, 'n')
    for (const [key, value] of Object.entries(c.presentedClaims)) if (c.name !== 'array_full_sd.json') assert.deepEqual(seen.payload[key], value, `${c.name}: ${key}`)
    assert.deepEqual((await ours({ do: 'verify', token: bound, jwk: issuer.jwk, now: now(), audience: 'v', nonce: 'n' })).claims, seen.payload, c.name)
  }
})

test('what npm @sd-jwt refuses we refuse; how weak a judge it is', async (t) => {
  const issuer = p256(), holder = p256(), lib = theirs(issuer, holder)
  const key = { alg: 'ES256', key: issuer.privateKey, kid: 'k' }
  const claims = { iss: 'https://issuer.example', iat: now(), vct: 'urn:test', cnf: { jwk: holder.jwk } }
  const good = sdJwt(claims, { a: 1, b: 2 }, key)
  const d = (...parts) => b64(JSON.stringify(parts))
  const digest = (text) => createHash('sha256').update(text).digest('base64url')
  const [one] = [d('salt', 'a', 1)]
  const broken = {
    'digest twice': sdJwt({ ...claims, _sd: [digest(one), digest(one)] }, {}, key) + `${one}~`,
    'digest twice, apart': sdJwt({ ...claims, _sd: [digest(one)], o: { _sd: [digest(one)] } }, {}, key) + `${one}~`,
    'unreferenced disclosure': `${good}${one}~`,
    '_sd as a name': ((x) => sdJwt({ ...claims, _sd: [digest(x)] }, {}, key) + `${x}~`)(d('salt', '_sd', [])),
    '... as a name': ((x) => sdJwt({ ...claims, _sd: [digest(x)] }, {}, key) + `${x}~`)(d('salt', '...', 'x')),
    'same name as a plain claim': sdJwt({ ...claims, a: 0, _sd: [digest(one)] }, {}, key) + `${one}~`,
    'three parts in a list': sdJwt({ ...claims, l: [{ '...': digest(one) }] }, {}, key) + `${one}~`,
    'two parts in an object': ((x) => sdJwt({ ...claims, _sd: [digest(x)] }, {}, key) + `${x}~`)(d('salt', 1)),
    'wrong signature': good.replace(/\.[\w-]{4}([\w-]+)~/, '.AAAA$1~'),
    expired: sdJwt({ ...claims, exp: now() - 100 }, {}, key),
    'not yet': sdJwt({ ...claims, nbf: now() + 1000 }, {}, key),
    'no holder': good,
  }
  const weak = []
  for (const [what, token] of Object.entries(broken)) {
    const mine = await ours({ do: 'verify', token, jwk: issuer.jwk, now: now(), ...(what === 'no holder' ? { audience: 'v', nonce: 'n' } : {}) })
    assert.ok(mine.error, `${what} was accepted`)
    const refused = await lib.verify(token, undefined, what === 'no holder').then(() => false, () => true)
    if (!refused) (weak.push(what))
  }
  t.diagnostic(`npm @sd-jwt/sd-jwt-vc 0.10.0 accepts ${weak.length} of these ${Object.keys(broken).length} (${weak.join("; ")}); something that refuses everything passes all ${Object.keys(broken).length}, and none of the two tests before`)
})

test('status lists go both ways', async () => {
  const issuer = p256()
  for (const bits of [1, 2, 4, 8]) {
    const values = Array.from({ length: 4096 }, () => Math.floor(Math.random() * 2 ** bits))
    const list = new StatusList(values, bits)
    const { values: read } = await ours({ do: 'unpack', bits, lst: list.compressStatusList() })
    assert.deepEqual(read, values)
    const { lst } = await ours({ do: 'pack', bits, values })
    const back = StatusList.decompressStatusList(lst, bits)
    for (const i of [0, 1, 17, 4095]) assert.equal(back.getStatus(i), values[i])
    const { token } = await ours({ do: 'list', suite: 'p256-sha256', secret: issuer.secret, sub: 'https://a.example/1', bits, values, now: now() })
    assert.equal(getListFromStatusListJWT(token).getStatus(17), values[17])
    const own = await ours({ do: 'list-read', token, jwk: issuer.jwk, uri: 'https://a.example/1', now: now() })
    assert.deepEqual(own.values, values)
  }
  /* the whole check of the library against our list: it accepts a valid place and refuses the others */
  const holder = p256(), claims = { iss: 'https://i.example', iat: now(), vct: 'urn:test' }
  const { token: listToken } = await ours({ do: 'list', suite: 'p256-sha256', secret: issuer.secret, sub: 'https://a.example/1', bits: 2, values: [0, 1, 2, 0], now: now() })
  const lib = theirs(issuer, holder, { statusListFetcher: async () => listToken })
  for (const [idx, good] of [[0, true], [1, false], [2, false], [3, true]]) {
    const { token } = await ours({ do: 'issue', suite: 'p256-sha256', secret: issuer.secret, claims: { ...claims, status: { status_list: { idx, uri: 'https://a.example/1' } } } })
    assert.equal(await lib.verify(token).then(() => true, () => false), good, `index ${idx}`)
  }
})

test('the status list draft\'s examples', async (t) => {
  const dir = join(vectors, 'status-list')
  if (!existsSync(dir)) {
    t.diagnostic('skipped: ../shared/data/vectors/status-list is not there')
    return t.skip()
  }
  const read = (name) => readFileSync(join(dir, name), 'utf8')
  const objectIn = (text) => JSON.parse(text.slice(text.lastIndexOf('{')).replace(/\s+/g, ''))
  const bytesIn = (text) => [...text.matchAll(/0x([0-9a-f]{2})/g)].map((m) => parseInt(m[1], 16))
  const places = {}
  let n = 0
  for (const name of readdirSync(dir).filter((f) => /^status_list_encoding\d?_json/.test(f))) {
    const text = read(name), { bits, lst } = objectIn(text)
    const { values } = await ours({ do: 'unpack', bits, lst })
    assert.ok(values.length > 0, name)
    const bytes = bytesIn(text)
    if (bytes.length) assert.deepEqual(values, bytes.flatMap((b) => Array.from({ length: 8 / bits }, (_, i) => (b >> (i * bits)) & (2 ** bits - 1))), name)
    places[bits] = Object.fromEntries(values.map((v, i) => [i, v]).filter(([, v]) => v))
    assert.equal((await ours({ do: 'pack', bits, values })).lst, lst, name)
    n++
  }
  /* what the draft's text says of its larger examples: where the values stand */
  assert.deepEqual(places[4], { 0: 1, 1993: 2, 35460: 3, 459495: 4, 595669: 5, 754353: 6, 845645: 7, 923232: 8, 924445: 9, 934534: 10, 1004534: 11, 1000345: 12, 1030203: 13, 1030204: 14, 1030205: 15 })
  assert.deepEqual(Object.values(places[8]).toSorted((a, b) => a - b), Array.from({ length: 255 }, (_, i) => i + 1))
  /* the raw token: its parts as printed, its list readable; its key is not published, so its signature is not claimed */
  const raw = read('status_list_jwt_raw.md').replace(/\s/g, '')
  const payload = JSON.parse(Buffer.from(raw.split('.')[1], 'base64url'))
  assert.deepEqual((await ours({ do: 'unpack', bits: payload.status_list.bits, lst: payload.status_list.lst })).values, [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1])
  t.diagnostic(`${n} encodings equal byte for byte`)
})

test('SM2 and SM3 agree with npm sm-crypto', async (t) => {
  const { sm2, sm3 } = require_('sm-crypto')
  const rounds = Number(process.env.TONGHUI_SM_ROUNDS ?? 300)
  for (let i = 0; i < rounds; i++) {
    const message = randomBytes(1 + (i % 200))
    const mine = { do: 'sign', suite: 'sm2-sm3', secret: randomBytes(32).toString('hex'), message: message.toString('hex') }
    const { signature, public: open } = await ours(mine)
    if (i % 3 === 0) {
      assert.equal(sm2.doVerifySignature([...message], signature, open, { hash: true, der: false }), true)
      const pair = sm2.generateKeyPairHex()
      const their = sm2.doSignature([...message], pair.privateKey, { hash: true, der: false, publicKey: pair.publicKey })
      assert.equal((await ours({ do: 'check', suite: 'sm2-sm3', public: pair.publicKey, message: message.toString('hex'), signature: their })).holds, true)
      const bent = their.replace(/^./, (c) => (c === '0' ? '1' : '0'))
      assert.equal((await ours({ do: 'check', suite: 'sm2-sm3', public: pair.publicKey, message: message.toString('hex'), signature: bent })).holds, false)
    }
    assert.equal((await ours({ do: 'hash', suite: 'sm2-sm3', message: message.toString('hex') })).hash, sm3([...message]))
  }
  t.diagnostic(`${rounds} hashes, ${Math.ceil(rounds / 3)} signatures each way (TONGHUI_SM_ROUNDS sets another number)`)
})

/* ---- OpenID4VP, with real nodes ---- */

const hash = async (data, alg) => new Uint8Array(createHash(alg.replace('-', '')).update(data).digest())
const callbacks = {
  hash,
  fetch,
  getX509CertificateMetadata: () => ({ sanDnsNames: [], sanUriNames: [] }),
  /* The certificate names the key; that the key is a member's is looked up where the region publishes it. */
  verifyJwt: async (how, { compact }) => {
    const [header, payload, signature] = compact.split('.')
    const key = new X509Certificate(Buffer.from(how.x5c[0], 'base64')).publicKey
    const verified = verify('sha256', Buffer.from(`${header}.${payload}`), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'))
    return { verified, signerJwk: key.export({ format: 'jwk' }) }
  },
  decryptJwe: async () => ({ decrypted: false }),
  encryptJwe: async () => {
    throw new Error('not asked for')
  },
  signJwt: async (how, { header, payload }) => {
    const input = `${b64(JSON.stringify(header))}.${b64(JSON.stringify(payload))}`
    return { jwt: `${input}.${b64(sign('sha256', Buffer.from(input), { key: how.key, dsaEncoding: 'ieee-p1363' }))}`, signerJwk: createPublicKey(how.key).export({ format: 'jwk' }) }
  },
}

test('npm @openid4vc/openid4vp as a wallet answers our verifier, and as a verifier asks our wallet', async () => {
  ;(await load('@openid4vc/utils')).setGlobalConfig({ allowInsecureUrls: true }) // loopback without TLS
  const r = await Region.make({ people: 60 })
  try {
    await r.startAll()
    const clerk = await r.signedIn('130000', 'clerk'), asker = await r.signedIn('110000', 'clerk')
    /* a wallet of its own */
    const holder = p256()
    const issued = await clerk.post('/certificates/v1/certificates', { type: 'HE-TALENT-CARD', holder: { id: '110101199003070011', name: '张伟', key: holder.jwk }, fields: { card_level: 'A 类', education: '博士研究生' } })
    assert.equal(issued.status, 201, issued.text)
    const asked = (await asker.post('/certificates/v1/oid4vp/request', { purpose: '互操作', type: 'HE-TALENT-CARD', claims: ['education'] })).json
    const link = new URL(asked.link)
    const request = await vp.resolveOpenid4vpAuthorizationRequest({ authorizationRequestPayload: Object.fromEntries(link.searchParams), callbacks, disableOriginValidation: true })
    assert.equal(request.client.prefix, 'x509_hash')
    assert.equal(request.version, 100, 'the library takes it for OpenID4VP 1.0')
    const wanted = request.dcql.query.credentials[0]
    assert.deepEqual(wanted.claims, [{ path: ['education'] }])
    /* the request's key is the one that the region's document gives this member */
    const published = (await (await fetch(`${r.nodes['110000'].portal}/.well-known/jwt-vc-issuer`)).json()).jwks.keys
    assert.ok(published.some((k) => k.x === request.jar.signer.publicJwk.x))
    const lib = theirs({ publicKey: createPublicKey({ key: (await (await fetch(`${r.nodes['130000'].portal}/.well-known/jwt-vc-issuer`)).json()).jwks.keys.find((k) => k.alg === 'ES256'), format: 'jwk' }) }, holder, { statusListFetcher: async (uri) => (await fetch(uri, { headers: { Accept: 'application/statuslist+jwt' } })).text() })
    const checked = await lib.verify(issued.json.token) // signature, status list and all, by the library
    assert.equal(checked.payload.education, '博士研究生')
    const shown = await lib.present(issued.json.token, { education: true }, { kb: { payload: { iat: now(), aud: request.authorizationRequestPayload.client_id, nonce: request.authorizationRequestPayload.nonce } } })
    const response = await vp.createOpenid4vpAuthorizationResponse({ authorizationRequestPayload: request.authorizationRequestPayload, authorizationResponsePayload: { vp_token: { [wanted.id]: [shown] } }, callbacks })
    const sent = await vp.submitOpenid4vpAuthorizationResponse({ authorizationRequestPayload: request.authorizationRequestPayload, authorizationResponsePayload: response.authorizationResponsePayload, callbacks })
    assert.equal(sent.response.status, 200)
    const result = (await asker.get(`/certificates/v1/oid4vp/response/${asked.id}`)).json
    assert.equal(result.state, 'answered')
    assert.ok(result.result.credentials[0].check.fields.some((f) => f.name === 'education' && f.value === '博士研究生'))

    /* and the other way: the library writes and signs the request, our wallet answers, the library reads the answer */
    const citizen = await r.signedIn('120000', 'citizen')
    const started = await startCase(citizen)
    const { id } = started.json
    await until('arrival', async () => (await clerk.get('/cases/v1/cases?view=worklist')).json.items.some((c) => c.id === id))
    for (const [action, body] of [['accept', {}], ['decide', { outcome: 'approved' }]]) assert.equal((await clerk.post(`/cases/v1/cases/${id}:${action}`, body)).status, 200)
    const card = await until('the wallet', async () => (await citizen.get('/certificates/v1/wallet')).json.items[0])
    const { portal, port, dir } = r.nodes['133100']
    const key = keyOf(dir), der = readFileSync(join(dir, 'keys/certificate-p256.der'))
    const nonce = b64(randomBytes(24)), state = b64(randomBytes(16))
    const made = await vp.createOpenid4vpAuthorizationRequest({
      authorizationRequestPayload: {
        response_type: 'vp_token', response_mode: 'direct_post', response_uri: `${portal}/vp/answer`, client_id: `x509_hash:${createHash('sha256').update(der).digest('base64url')}`, nonce, state,
        dcql_query: { credentials: [{ id: 'card', format: 'dc+sd-jwt', meta: { vct_values: ['urn:tonghui:jingjinji:talent-card:1'] }, claims: [{ path: ['education'] }] }] },
        client_metadata: { vp_formats_supported: { 'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] } } },
      },
      jar: { requestUri: `${portal}/vp/request`, expiresInSeconds: 300, jwtSigner: { method: 'x5c', alg: 'ES256', x5c: [der.toString('base64')], key: key.key, kid: key.kid } },
      callbacks,
    })
    const object = made.jar.authorizationRequestJwt, body = object.split('.')[1]
    await r.stop('133100')
    let got
    const server = createServer((rq, rs) => {
      if (rq.url === '/vp/request') return rs.writeHead(200, { 'Content-Type': 'application/oauth-authz-req+jwt' }).end(object)
      let text = ''
      rq.on('data', (piece) => (text += piece)).on('end', () => {
        got = Object.fromEntries(new URLSearchParams(text))
        rs.writeHead(200, { 'Content-Type': 'application/json' }).end('{}')
      })
    })
    await new Promise((done) => server.listen(port, '127.0.0.1', done))
    try {
      const seen = await citizen.post('/certificates/v1/wallet:resolve', { request: made.authorizationRequest })
      assert.equal(seen.status, 200, seen.text)
      const answered = await citizen.post('/certificates/v1/wallet:answer', { request: seen.json.request, choices: { card: card.id } })
      assert.equal(answered.status, 200, answered.text)
      const parsed = await vp.parseOpenid4vpAuthorizationResponse({ authorizationResponse: got, authorizationRequestPayload: made.jar.authorizationRequestPayload ?? JSON.parse(Buffer.from(body, 'base64url')), callbacks })
      assert.equal(parsed.authorizationResponsePayload.state, state)
      const [presentation] = Object.values(parsed.dcql.presentations).flat()
      const read = await lib.verify(presentation, undefined, true)
      assert.equal(read.kb.payload.nonce, nonce)
      assert.ok(read.payload.education)
      assert.equal(read.payload.holder_name, undefined)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  } finally {
    await r.close()
  }
})
