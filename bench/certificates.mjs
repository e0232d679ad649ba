// bench/run certificates: issuing and verifying an SD-JWT VC beside npm @sd-jwt/sd-jwt-vc 0.10.0 and beside bare ES256, in one run, in turns; and
// status lists, squares and pages. The same credential (six disclosures, a status, a holder's key) for all; the peer once as its makers document it
// (their @sd-jwt/crypto-nodejs) and once with the quickest callbacks that Node.js offers (node:crypto, synchronous). One thread each; ratios are of rates per second of CPU, user
// and system: neighbours on the machine then do not count, Node.js's own helper threads do.
import { execFileSync } from 'node:child_process'
import { createHash, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { deflateSync } from 'node:zlib'

const root = fileURLToPath(new URL('..', import.meta.url))
const judges = join(root, 'tests/conformance/certificates')
const program = join(process.env.TONGHUI_BENCH_BUILD ?? join(root, 'build-bench'), 'bench/certificates')
const quick = process.argv.includes('--quick')
const seconds = quick ? 0.5 : 2, rounds = quick ? 1 : 5
if (!existsSync(join(judges, 'node_modules/@sd-jwt/sd-jwt-vc'))) execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'], { cwd: judges })
const { SDJwtVcInstance } = await import(join(judges, 'node_modules/@sd-jwt/sd-jwt-vc/dist/index.mjs'))
const documented = await import(join(judges, 'node_modules/@sd-jwt/crypto-nodejs/dist/index.mjs'))

const dir = mkdtempSync(join(tmpdir(), 'tonghui-bench-'))
const put = (name, value) => {
  writeFileSync(join(dir, name), typeof value === 'string' ? value : JSON.stringify(value))
  return join(dir, name)
}
const ours = (...words) => JSON.parse(execFileSync(program, words.map(String), { encoding: 'utf8', env: { ...process.env, CERTIFICATES_URI: uri } }))
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1]

/* ---- the credential ---- */
const b64 = (bytes) => Buffer.from(bytes).toString('base64url')
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const holder = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
const now = Math.floor(Date.now() / 1000)
const uri = 'https://portal.example/certificates/v1/statuslists/1'
const claims = { iss: 'https://portal.example', iat: now, exp: now + 86400 * 365, vct: 'urn:tonghui:jingjinji:talent-card:1', number: '1.2.156.3005.2.11130000000140011L001.11130000000140011L.20260000000001.001.Q', cnf: { jwk: holder }, status: { status_list: { idx: 70000, uri } }, holder_name: '张伟', id_number: '110101199003070011', education: '硕士研究生', school: '某某大学', services: '落户、子女入学、医疗、居住', id_masked: '1101**********0011', card_level: 'B 类', issued_on: '2026-11-24', valid_until: '2031-11-24' }
const frame = { _sd: ['holder_name', 'id_number', 'education', 'school', 'services', 'id_masked'] }
const signer = (data) => b64(sign('sha256', Buffer.from(data), { key: privateKey, dsaEncoding: 'ieee-p1363' }))
const verifier = (data, signature) => verify('sha256', Buffer.from(data), { key: publicKey, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'))
const statuses = Buffer.alloc(1 << 15)
for (let i = 0; i < 1311; i++) statuses[(i * 2654435761) % statuses.length] |= 1
statuses[70000 >> 2] = 0
const jwt = (header, payload) => {
  const input = `${b64(JSON.stringify(header))}.${b64(JSON.stringify(payload))}`
  return `${input}.${signer(input)}`
}
const list = jwt({ alg: 'ES256', typ: 'statuslist+jwt' }, { sub: uri, iat: now, exp: now + 86400, ttl: 300, status_list: { bits: 2, lst: b64(deflateSync(statuses, { level: 9 })) } })
const lib = new SDJwtVcInstance({ signer, signAlg: 'ES256', verifier, hasher: (data, alg) => createHash(alg.replace('-', '')).update(data).digest(), hashAlg: 'sha-256', saltGenerator: (n) => b64(randomBytes(n)).slice(0, n), statusListFetcher: async () => list })
const plain = new SDJwtVcInstance({ signer: await documented.ES256.getSigner(privateKey.export({ format: 'jwk' })), signAlg: 'ES256', verifier: await documented.ES256.getVerifier(publicKey.export({ format: 'jwk' })), hasher: documented.digest, hashAlg: 'sha-256', saltGenerator: documented.generateSalt, statusListFetcher: async () => list })
const token = await lib.issue(claims, frame, { header: { typ: 'dc+sd-jwt' } })
const bare = await lib.issue({ ...claims, status: undefined }, frame, { header: { typ: 'dc+sd-jwt' } })
const files = { claims: put('claims.json', claims), frame: put('frame.json', frame), token: put('token', token), bare: put('bare', bare), jwk: put('jwk.json', publicKey.export({ format: 'jwk' })), list: put('list', list), square: put('square.json', { holder_name: '张伟', id_masked: '1101**********0011', card_level: 'B 类', issued_on: '2026-11-24', valid_until: '2031-11-24' }) }

async function theirs(one) {
  for (let i = 0; i < 100; i++) await one()
  const start = process.cpuUsage(), from = process.hrtime.bigint()
  let n = 0, cpu, wall
  do {
    for (let i = 0; i < 10; i++) await one()
    n += 10
    const used = process.cpuUsage(start)
    cpu = (used.user + used.system) / 1e6
    wall = Number(process.hrtime.bigint() - from) / 1e9
  } while (wall < seconds)
  return { cpu: n / cpu, wall: n / wall }
}
const own = (...words) => {
  const told = ours(...words)
  return { cpu: 1e6 / told.cpu_us, wall: told.per_second }
}

/* ---- in turns, so that a noisy machine is noisy for all ---- */
const runs = {
  'ES256 sign (limit)': () => own('sign', seconds),
  'issue, ours': () => own('issue', seconds, files.claims, files.frame),
  'issue, npm': () => theirs(() => plain.issue(claims, frame, { header: { typ: 'dc+sd-jwt' } })),
  'issue, npm quickest': () => theirs(() => lib.issue(claims, frame, { header: { typ: 'dc+sd-jwt' } })),
  'ES256 verify (limit)': () => own('check', seconds),
  'verify, ours': () => own('verify', seconds, files.bare, files.jwk),
  'verify, npm': () => theirs(() => plain.verify(bare)),
  'verify, npm quickest': () => theirs(() => lib.verify(bare)),
  'verify with status, ours': () => own('verify', seconds, files.token, files.jwk, files.list),
  'verify with status, npm': () => theirs(() => plain.verify(token)),
}
const told = Object.fromEntries(Object.keys(runs).map((name) => [name, []]))
for (let round = 0; round < rounds; round++) for (const [name, run] of Object.entries(runs)) told[name].push(await run())
const rate = Object.fromEntries(Object.entries(told).map(([name, list_]) => [name, { cpu: median(list_.map((r) => r.cpu)), wall: median(list_.map((r) => r.wall)) }]))
console.log(`credential ${token.length} bytes, six disclosures; status list of ${statuses.length * 4} places, ${list.length} bytes; medians of ${rounds}`)
console.log(`${''.padEnd(28)} ${'per CPU second'.padStart(15)} ${'per second'.padStart(12)}`)
for (const [name, r] of Object.entries(rate)) console.log(`${name.padEnd(28)} ${Math.round(r.cpu).toLocaleString('en').padStart(15)} ${Math.round(r.wall).toLocaleString('en').padStart(12)}`)
console.log('with a status the library verifies and unpacks the list each time; we keep it unpacked until its ttl is over, as a node does')
const million = ours('list', 1e6), tenMillion = ours('list', 1e7)
for (const l of [million, tenMillion]) console.log(`list of ${l.entries.toLocaleString('en')} places, 1 % not valid: built and signed in ${l.build_ms} ms, ${l.token_bytes.toLocaleString('en')} bytes as a token; one flip and again ${l.flip_ms} ms; ${Math.round(l.looks_per_second / 1e6)} M looks/s`)
const square = ours('square', seconds, files.square), page = ours('page', seconds)
console.log(`square ${square.cpu_us} µs, page ${page.cpu_us} µs of CPU each`)
const ratio = (a, b) => (rate[a].cpu / rate[b].cpu).toFixed(2)
console.log(`certificates: sdjwt_verify_ratio=${ratio('verify with status, ours', 'verify with status, npm')} sdjwt_verify_plain_ratio=${ratio('verify, ours', 'verify, npm')} sdjwt_verify_quickest_ratio=${ratio('verify, ours', 'verify, npm quickest')} sdjwt_issue_ratio=${ratio('issue, ours', 'issue, npm')} sdjwt_issue_quickest_ratio=${ratio('issue, ours', 'issue, npm quickest')} verify_over_es256=${ratio('verify with status, ours', 'ES256 verify (limit)')} issue_over_es256=${ratio('issue, ours', 'ES256 sign (limit)')} list_10m_ms=${tenMillion.build_ms} flip_1m_ms=${million.flip_ms}`)
rmSync(dir, { recursive: true })
