// A provider that answers nothing, half, twice, slowly, too much, or with another's proof: the consumer believes none of it, and says so.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { keyRead } from '../lib/peer.mjs'
import { Region, until } from '../lib/region.mjs'

let r, server, system, act
const bad = '133100'
before(async () => {
  r = await Region.make({ suites: { '120000': 'ed25519-sha256', '133100': 'ed25519-sha256' } })
  await r.startAll()
  const link = r.nodes[bad]
  // An honest answer to replay later, then a liar takes the member's place with its own TLS key.
  await r.stop(bad)
  const dir = link.dir
  server = https.createServer({ cert: readFileSync(join(dir, 'keys/tls.cert.pem')), key: readFileSync(join(dir, 'keys/tls.key.pem')), minVersion: 'TLSv1.3' }, (request, response) => {
    const pieces = []
    request.on('data', (piece) => pieces.push(piece))
    request.on('end', () => act(request, response, Buffer.concat(pieces)))
  })
  server.keepAliveTimeout = 1
  await new Promise((done) => server.listen(link.peerPort, '127.0.0.1', done))
  system = r.keyed('120000')
  keyRead(dir, 'message')
})
after(async () => {
  server?.closeAllConnections()
  server?.close()
  await r?.close()
})

const ask = () => system.post('/exchange/v1/ask', { provider: bad, register: 'population', operation: 'verify', key: { id_number: '11010519491231002X' }, claims: { name: 'x' }, purpose: { item: 'identity-check' } })
const liars = {
  'nothing but a 200': (q, s) => s.end(),
  'something that is not of the protocol': (q, s) => s.end('{"results":{"name":"match"}}'),
  'half an answer': (q, s) => {
    s.writeHead(200, { 'Content-Length': 5000 })
    s.write('{"id"')
    setTimeout(() => s.destroy(), 50)
  },
  'an answer without proof': (q, s, body) => {
    if (!body.length) return s.writeHead(404).end()
    const id = JSON.parse(body.toString().split('\n')[0]).id
    s.writeHead(200, { 'Content-Type': 'application/x-ndjson' })
    s.end(`{"id":"${id}","status":200,"body":{"results":{"name":"match"}}}\n{"journal":{}}\n`)
  },
  'a hundred megabytes': (q, s) => {
    s.writeHead(200)
    const piece = Buffer.alloc(1 << 20, 120)
    let n = 0
    const more = () => {
      while (n++ < 100 && !s.destroyed) if (!s.write(piece)) return s.once('drain', more)
      s.end()
    }
    s.on('error', () => {})
    more()
  },
  'a redirect': (q, s) => {
    s.writeHead(302, { Location: 'http://127.0.0.1:9/' })
    s.end()
  },
}
for (const [what, how] of Object.entries(liars))
  test(`a provider that answers ${what} is not believed`, async () => {
    act = how
    const answer = await ask()
    assert.ok([502, 503, 504, 413].includes(answer.status), `${answer.status} ${answer.text}`)
    assert.ok(answer.json.title_zh && answer.json.title_en)
    assert.ok(!/"match"/.test(answer.text))
  })

test('a provider that does not answer in time: a problem within the caller\'s deadline', async () => {
  act = () => {}
  const begun = Date.now()
  const answer = await ask()
  assert.ok([503, 504].includes(answer.status), answer.text)
  assert.match(answer.json.type, /peer-unavailable|peer-timeout|timeout/)
  assert.ok(Date.now() - begun < 20000)
})

test('a provider that is down: peer-unavailable with a time to come back', async () => {
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
  const answer = await ask()
  assert.equal(answer.status, 503, answer.text)
  assert.match(answer.json.type, /peer-unavailable/)
  const links = await (await r.signedIn('120000', 'operator')).get('/exchange/v1/links')
  const link = links.json.items.find((each) => each.peer === bad)
  assert.equal(link.up, false)
})

test('the member itself comes back and is believed again', async () => {
  await r.start(bad)
  const answer = await until('an answer', async () => {
    const a = await ask()
    return a.status === 200 && a
  })
  assert.deepEqual(answer.json.results, { name: 'mismatch' })
})

test('another TLS key in the member\'s place is not talked to', async () => {
  await r.stop(bad)
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(r.dir, 'k.pem'), '-out', join(r.dir, 'c.pem'), '-days', '2', '-subj', '/CN=tonghui'], { stdio: 'ignore' })
  let heard = 0
  const thief = https.createServer({ cert: readFileSync(join(r.dir, 'c.pem')), key: readFileSync(join(r.dir, 'k.pem')) }, (q, s) => {
    heard++
    s.end()
  })
  await new Promise((done) => thief.listen(r.nodes[bad].peerPort, '127.0.0.1', done))
  const answer = await ask()
  assert.ok(answer.status >= 400)
  assert.equal(heard, 0)
  thief.closeAllConnections()
  await new Promise((done) => thief.close(done))
  await r.start(bad)
})
