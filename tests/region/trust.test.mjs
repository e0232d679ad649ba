// The trust document between real processes: which one may follow, what its end, its suspensions and its keys do to the exchange.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { edPrivate, keyRead, kidOf, Peer } from '../lib/peer.mjs'
import { codes, Region, sleep, startCase, until } from '../lib/region.mjs'

const to = '110000'
const ed = 'ed25519-sha256'
let r, me, company, auditor
before(async () => {
  r = await Region.make({ suites: { '110000': ed, '120000': ed, '133100': ed } })
  await r.startAll()
  me = new Peer(r, '120000')
  r.run('generate', join(r.dir, 'g'), '--code', to, '--region', r.regionDir, '--people', '200', '--seed', '20260101')
  company = JSON.parse(readFileSync(join(r.dir, 'g/legal-persons.jsonl'), 'utf8').split('\n')[0])
  auditor = await r.signedIn(to, 'auditor')
})
after(() => r?.close())

const line = () => me.line(to, 'verify', { register: 'legal-persons', key: { uscc: company.uscc }, claims: { name: company.name } }, { grant: `legal-persons-verify-${to}-120000`, purpose: { item: 'business-check' }, actor: { office: 'TJ-HALL' } })
const version = async (code = to) => (await r.client(code).get('/exchange/v1/region')).json.version
const entries = async () => (await auditor.get('/exchange/v1/journal?limit=5')).json
/* Refused whole, named, and journaled as a refusal; no line of it was answered. */
const refused = async (tweak, type, words) => {
  const before_ = (await entries()).head.size
  const answer = await me.ask(to, [line()], tweak)
  assert.equal(answer.status, 403, JSON.stringify(answer.problem ?? answer.lines))
  assert.equal(answer.problem.type, `urn:tonghui:problem:${type}`)
  if (words) assert.ok(answer.problem.title_en.includes(words), answer.problem.title_en)
  const now = await entries()
  assert.equal(now.items[0].direction, 'refused')
  assert.ok(now.items.slice(0, now.head.size - before_).every((e) => e.direction !== 'answered' || e.peer !== '120000'), 'nothing was processed')
}
const answered = async (tweak) => {
  const answer = await me.ask(to, [line()], tweak)
  assert.equal(answer.status, 200, JSON.stringify(answer.problem))
  assert.deepEqual(answer.lines[0].body?.results, { name: 'match' })
  return answer
}
const fails = (file, type, node = to) => assert.throws(() => r.run('region', 'apply', file, '--node', r.nodes[node].dir), (e) => e.stderr.includes(`[${type}]`) || assert.fail(e.stderr))

test('an older trust document, the same again and one from further on are refused; the one in force stays', async () => {
  const first = r.trustFile
  const old = join(r.dir, 'old.json')
  writeFileSync(old, readFileSync(first))
  await r.trustChange((s) => (s.name.en = 'Second'))
  fails(old, 'trust-rollback')
  fails(r.trustFile, 'trust-rollback')
  fails(r.trustWrite((s) => (s.version += 1)), 'trust-gap')
  fails(r.trustWrite((s) => (s.region = 'elsewhere')), 'trust-other-region')
  assert.equal(await version(), 2)
})

test('an expired trust document is not taken', async () => {
  fails(r.trustWrite((s) => (s.expires = new Date(Date.now() - 1000).toISOString())), 'trust-expired')
  assert.equal(await version(), 2)
})

test('too few signatures, one governor three times, and a document changed after it was signed are refused', async () => {
  fails(r.trustWrite(undefined, ['110000', '120000']), 'trust-threshold')
  const file = r.trustWrite(undefined, ['120000'])
  const doc = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify({ ...doc, signatures: [0, 1, 2].map(() => doc.signatures[0]) }))
  fails(file, 'trust-threshold')
  const changed = JSON.parse(readFileSync(r.trustWrite(), 'utf8'))
  changed.signed.members[0].peer = 'https://127.0.0.1:1'
  writeFileSync(file, JSON.stringify(changed))
  fails(file, 'trust-threshold')
  assert.equal(await version(), 2)
})

test('governors who were removed sign for nothing, and new ones cannot install themselves', async () => {
  await r.trustChange((s) => {
    s.governors.keys = s.governors.keys.filter((k) => k.holder !== '133100')
  })
  // The removed one may stand in its place among the signatures, and even put its key back: the version in force decides.
  fails(r.trustWrite(undefined, ['110000', '120000', '133100']), 'trust-threshold')
  const removed = JSON.parse(readFileSync(join(r.dir, 'old.json'), 'utf8')).signed.governors.keys.find((k) => k.holder === '133100')
  fails(r.trustWrite((s) => s.governors.keys.push(removed), ['110000', '120000', '133100']), 'trust-threshold')
  // A document whose governors are the removed one alone is whole in itself, and no successor.
  fails(r.trustWrite((s) => (s.governors = { threshold: 1, keys: [removed] }), ['133100']), 'trust-threshold')
  assert.equal(await version(), 3)
})

test('message keys: unknown, expired, not yet valid, revoked; each is named, and nothing is processed', async () => {
  const keys = (s) => s.members.find((m) => m.code === '120000').keys
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const pub = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  const fresh = { kid: kidOf(pub), suite: ed, public: pub.toString('base64url'), use: 'message', not_before: '2026-01-01T00:00:00Z', not_after: '2029-01-01T00:00:00Z' }
  const mine = { keyid: fresh.kid, key: privateKey }
  await refused(mine, 'unknown-key', fresh.kid)
  await r.trustChange((s) => keys(s).push({ ...fresh, not_after: new Date(Date.now() - 60000).toISOString() }))
  await refused(mine, 'expired-key', fresh.kid)
  await r.trustChange((s) => (keys(s).find((k) => k.kid === fresh.kid).not_before = new Date(Date.now() + 3600000).toISOString(), keys(s).find((k) => k.kid === fresh.kid).not_after = '2029-01-01T00:00:00Z'))
  await refused(mine, 'early-key', fresh.kid)
  await r.trustChange((s) => (keys(s).find((k) => k.kid === fresh.kid).not_before = '2026-01-01T00:00:00Z'))
  await answered(mine)
  await answered() // the old key beside it
  // Revoked: its time ends now. Gone from the document altogether: unknown.
  await r.trustChange((s) => (keys(s).find((k) => k.kid === fresh.kid).not_after = new Date(Date.now() - 1000).toISOString()))
  await refused(mine, 'expired-key', fresh.kid)
  await r.trustChange((s) => keys(s).splice(keys(s).findIndex((k) => k.kid === fresh.kid), 1))
  await refused(mine, 'unknown-key', fresh.kid)
  await answered()
})

test('a node changes its keys: asks go on all the time, old receipts still hold, the old keys sign nothing new', async () => {
  const system = r.keyed('120000')
  const ask = async () => {
    const answer = await system.post('/exchange/v1/ask', { provider: to, register: 'legal-persons', operation: 'verify', key: { uscc: company.uscc }, claims: { name: company.name }, purpose: { item: 'business-check' } })
    assert.equal(answer.status, 200, answer.text)
    const file = join(r.dir, `receipt-${answer.json.receipt.head.kid}.json`)
    writeFileSync(file, JSON.stringify(answer.json.receipt))
    return { file, kid: answer.json.receipt.head.kid }
  }
  const holds = (file) => JSON.parse(r.run('receipt', 'verify', file, '--trust', r.trustFile, '--json')).valid
  const before_ = await ask()
  const dir = r.nodes[to].dir
  const member = (s) => s.members.find((m) => m.code === to)
  const made = {}
  await r.trustChange((s) => {
    for (const use of ['message', 'journal']) {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519')
      const pub = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
      made[use] = { kid: kidOf(pub), suite: ed, public: pub.toString('base64url'), secret: privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32).toString('base64url') }
      const { secret, ...open } = made[use]
      member(s).keys.push({ ...open, use, not_before: new Date(Date.now() - 60000).toISOString(), not_after: '2029-01-01T00:00:00Z' })
    }
  })
  const old = { message: keyRead(dir, 'message'), journal: keyRead(dir, 'journal') }
  await r.stop(to)
  for (const use of ['message', 'journal']) writeFileSync(join(dir, `keys/${use}.json`), JSON.stringify(made[use]), { mode: 0o600 })
  await r.start(to)
  auditor = await r.signedIn(to, 'auditor')
  await r.trustChange((s) => {
    for (const k of member(s).keys) if (k.kid === old.message.kid || k.kid === old.journal.kid) k.not_after = new Date().toISOString()
  })
  const after_ = await ask()
  assert.equal(before_.kid, old.journal.kid)
  assert.equal(after_.kid, made.journal.kid)
  assert.equal(holds(before_.file), true, 'a receipt of before the change')
  assert.equal(holds(after_.file), true)
  assert.equal(JSON.parse(r.run('journal', 'check', '--node', dir, '--json')).ok, true)
  // Whoever kept the old journal key cannot sign a new head with it.
  const forged = JSON.parse(readFileSync(before_.file, 'utf8'))
  const control = { ...forged, head: old.journal.head(forged.head) }
  writeFileSync(before_.file, JSON.stringify(control))
  assert.equal(holds(before_.file), true, 'with the time of then its signature counts')
  forged.head = old.journal.head({ ...forged.head, at: new Date(Date.now() + 2000).toISOString().replace('Z', '000Z') })
  writeFileSync(before_.file, JSON.stringify(forged))
  assert.throws(() => holds(before_.file))
})

test('a suspended member is refused by name, what was meant for it waits, and its return brings all of it', async () => {
  const citizen = await r.signedIn('120000', 'citizen')
  const hebei = await r.signedIn('130000', 'clerk')
  await r.trustChange((s) => (s.suspended = ['130000']))
  const own = r.keyed('130000', 'suspended')
  const ask = (client, provider) => client.post('/exchange/v1/ask', { provider, register: 'legal-persons', operation: 'verify', key: { uscc: company.uscc }, claims: { name: company.name }, purpose: { item: 'business-check' } })
  const there = await ask(own, to)
  assert.equal(there.status, 403, there.text)
  assert.match(there.json.type, /suspended-member$/)
  const here = await ask(r.keyed('120000', 'tj'), '130000')
  assert.equal(here.status, 403, here.text)
  assert.match(here.json.type, /suspended-member$/)
  // Its own batches, whoever sends them, are refused before a line is read.
  const liar = new Peer(r, '130000')
  const batch = liar.batch(to, [line()], { key: edPrivate(Buffer.alloc(32, 1)) })
  const direct = await liar.send(to, batch)
  assert.equal(direct.status, 403)
  assert.match(direct.body.toString(), /suspended-member/)
  // A case decided in Hebei keeps until Hebei is back.
  const started = await startCase(citizen)
  assert.equal(started.status, 201, started.text)
  await sleep(500)
  assert.equal((await hebei.get(`/cases/v1/cases/${started.json.id}`)).status, 404)
  await r.trustChange((s) => (s.suspended = []))
  await until('the case in Hebei', async () => (await hebei.get(`/cases/v1/cases/${started.json.id}`)).json.state === 'received')
  assert.equal((await ask(own, to)).status, 200)
})

test('before it expires the region warns; when it has, exchange stops with a clear problem, own reads go on, and a new version revives it', async () => {
  const region = async () => (await r.client(to).get('/exchange/v1/region')).json
  assert.deepEqual((await region()).warnings, [])
  for (const [hours, days] of [[29 * 24, 30], [6 * 24, 7], [20, 1]]) {
    await r.trustChange((s) => (s.expires = new Date(Date.now() + hours * 3600000).toISOString()))
    const { warnings } = await region()
    assert.equal(warnings.length, 1)
    assert.match(warnings[0].en, new RegExp(`within ${days} days`))
  }
  await r.trustChange((s) => (s.expires = new Date(Date.now() + 1500).toISOString()))
  await until('the end', async () => (await region()).live === false)
  assert.equal((await region()).warnings[0].type, 'trust-expired')
  const size = (await entries()).head.size
  const answer = await me.ask(to, [line()])
  assert.equal(answer.status, 503)
  assert.match(answer.problem.type, /trust-expired$/)
  const system = r.keyed('120000', 'expired')
  const asked = await system.post('/exchange/v1/ask', { provider: to, register: 'legal-persons', operation: 'verify', key: { uscc: company.uscc }, claims: { name: company.name }, purpose: { item: 'business-check' } })
  assert.equal(asked.status, 503, asked.text)
  assert.match(asked.json.type, /trust-expired$/)
  assert.ok(asked.json.title_zh && asked.json.title_en)
  const citizen = await r.signedIn('120000', 'citizen')
  assert.equal((await citizen.get('/cases/v1/cases?view=mine')).status, 200)
  assert.equal((await r.client(to).get('/records/v1/catalogue')).status, 200)
  assert.ok((await entries()).items.slice(0, Math.max(0, (await entries()).head.size - size)).every((e) => e.direction !== 'answered'))
  await r.trustChange((s) => (s.expires = new Date(Date.now() + 365 * 86400000).toISOString()))
  await answered()
  assert.equal((await region()).live, true)
  for (const code of codes) assert.equal(await version(code), await version())
})
