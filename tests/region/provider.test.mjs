// A provider that answers nothing, half, twice, slowly, too much, or with a proof that does not hold: the consumer believes none of it and says
// so soon. The liar holds the member's own keys, so that only what each lie breaks can give it away; the honest answer is beside every lie.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Liar } from '../lib/liar.mjs'
import { keyRead } from '../lib/peer.mjs'
import { Region, sleep, until } from '../lib/region.mjs'

const ed = 'ed25519-sha256'
const [bad, victim] = ['133100', '120000']
let r, liar, system, company
before(async () => {
  r = await Region.make({ suites: { '110000': ed, '120000': ed, '133100': ed }, aside: [bad] })
  liar = new Liar(r, bad, victim)
  await liar.open()
  await r.startAll()
  system = r.keyed(victim)
  r.run('generate', join(r.dir, 'g'), '--code', bad, '--region', r.regionDir, '--people', '200', '--seed', '20260101')
  company = JSON.parse(readFileSync(join(r.dir, 'g/legal-persons.jsonl'), 'utf8').split('\n')[0])
})
after(async () => {
  await liar?.close()
  await r?.close()
})

const ask = (more = {}, claims = { name: company.name }) => system.post('/exchange/v1/ask', { provider: bad, register: 'legal-persons', operation: 'verify', key: { uscc: company.uscc }, claims, purpose: { item: 'business-check' }, ...more })
const honest = async () => {
  liar.lie = null
  const answer = await until('an honest answer', async () => {
    const a = await ask()
    return a.status === 200 && a
  })
  assert.deepEqual(answer.json.results, { name: 'match' })
}
const problem = (answer, status, type) => {
  assert.equal(answer.status, status, answer.text)
  assert.equal(answer.json.type, `urn:tonghui:problem:${type}`, answer.text)
  assert.ok(answer.json.title_zh && answer.json.title_en)
  assert.ok(!/"match"|"mismatch"/.test(answer.text))
}

test('through an honest man in the middle the answer is believed', honest)

/* What is not of the protocol at all. */
const nonsense = {
  'nothing but a 200': (s) => s.end(),
  'something that is not of the protocol': (s) => s.end('{"results":{"name":"match"}}'),
  'an answer without proof': (s, batch) => {
    s.writeHead(200, { 'Content-Type': 'application/x-ndjson' })
    s.end(`{"id":"${JSON.parse(batch.lines[0]).id}","status":200,"body":{"results":{"name":"match"}}}\n{"journal":{}}\n`)
  },
  'a redirect': (s) => {
    s.writeHead(302, { Location: 'http://127.0.0.1:9/' })
    s.end()
  },
  'an error page': (s) => {
    s.writeHead(500, { 'Content-Type': 'text/html' })
    s.end('<h1>"match"</h1>')
  },
}
for (const [what, how] of Object.entries(nonsense))
  test(`a provider that answers ${what} is not believed`, async () => {
    liar.lie = (batch, forward, response) => (how(response, batch), true)
    const begun = Date.now()
    problem(await ask(), 502, 'answer-invalid')
    assert.ok(Date.now() - begun < 1500, 'at once')
    await honest()
  })

test('a provider that answers a hundred megabytes is cut off', async () => {
  let sent = 0
  liar.lie = (batch, forward, s) => {
    const piece = Buffer.alloc(1 << 20, 120)
    s.writeHead(200)
    const more = () => {
      while (sent < 100 && !s.destroyed) if ((sent++, !s.write(piece))) return s.once('drain', more)
      s.end()
    }
    more()
    return true
  }
  problem(await ask(), 502, 'answer-too-large')
  assert.ok(sent < 60, `${sent} MB`)
  await honest()
})

/* Lies with the member's own signature on them: what gives each away is the one thing that it breaks. */
const trailerOf = (texts) => JSON.parse(texts.at(-1))
const flip = (text) => text.replace(/^./, (c) => (c === 'A' ? 'B' : 'A'))
const lies = {
  'a changed answer under the old digest': (a) => ({ ...a, body: Buffer.from(a.body.toString().replaceAll('"match"', '"mismatch"')) }),
  'a changed answer with its digest but the old signature': (a, b) => ({ ...a, ...liar.sign(b, Buffer.from(a.body.toString().replaceAll('"match"', '"mismatch"'))), headers: { ...liar.sign(b, Buffer.from(a.body.toString().replaceAll('"match"', '"mismatch"'))).headers, signature: a.headers.signature, 'signature-input': a.headers['signature-input'] } }),
  'a changed answer signed anew, which its journal does not hold': (a, b) => liar.sign(b, Buffer.from(a.body.toString().replaceAll('"match"', '"mismatch"'))),
  'an answer signed for another use': (a, b) => liar.sign(b, a.body, { tag: 'tonghui-batch' }),
  'an answer signed by another member': (a, b) => {
    const other = keyRead(r.nodes['110000'].dir, 'message')
    return liar.sign(b, a.body, { keyid: other.kid, key: other.key })
  },
  'an answer signed with the journal\'s key': (a, b) => liar.sign(b, a.body, { keyid: liar.journal.kid, key: liar.journal.key }),
  'a signature that names one key and is another\'s': (a, b) => liar.sign(b, a.body, { key: liar.journal.key }),
  'every line twice': (a, b, texts) => liar.sign(b, Buffer.from([...texts.slice(0, -1), ...texts].map((t) => `${t}\n`).join(''))),
  'a line less': (a, b, texts) => liar.sign(b, Buffer.from(texts.slice(1).map((t) => `${t}\n`).join(''))),
  'the last line cut': (a, b) => liar.sign(b, a.body.subarray(0, a.body.length - 9)),
  'another message\'s id': (a, b, texts) => liar.sign(b, Buffer.from([texts[0].replace(/"id":"./, (t) => `${t.slice(0, -1)}f`), ...texts.slice(1)].map((t) => `${t}\n`).join(''))),
  'a range that does not fit': (a, b, texts, trailer) => {
    const side = trailer.journal.range.left.length ? 'left' : 'right'
    trailer.journal.range[side][0] = flip(trailer.journal.range[side][0])
  },
  'a range with a hash too many': (a, b, texts, trailer) => void trailer.journal.range.left.push(trailer.journal.head.root),
  'a frontier without its last hash': (a, b, texts, trailer) => void trailer.journal.range.left.pop(),
  'entries at another place of the journal': (a, b, texts, trailer) => void trailer.journal.first--,
  'entries of another time': (a, b, texts, trailer) => void (trailer.journal.at = trailer.journal.at.replace(/\dZ$/, (c) => `${(Number(c[0]) + 1) % 10}Z`)),
  'another private hash': (a, b, texts, trailer) => void (trailer.journal.private[0] = flip(trailer.journal.private[0])),
  'a head of another size': (a, b, texts, trailer) => void (trailer.journal.head = liar.journal.head({ ...trailer.journal.head, size: trailer.journal.head.size + 1 })),
  'a head nobody signed': (a, b, texts, trailer) => void (trailer.journal.head.sig = flip(trailer.journal.head.sig)),
  'a head signed with the message key': (a, b, texts, trailer) => void (trailer.journal.head = liar.message.head(trailer.journal.head)),
  'a head of another member\'s log': (a, b, texts, trailer) => {
    const log = '110000.1'
    trailer.journal.head = keyRead(r.nodes['110000'].dir, 'journal').head({ ...trailer.journal.head, log })
    trailer.journal.log = log
  },
  'a negative place, and numbers beyond reason': (a, b, texts, trailer) => void Object.assign(trailer.journal, { first: -5, head: { ...trailer.journal.head, size: 2 ** 60 } }),
}
for (const [what, how] of Object.entries(lies))
  test(`a lie signed with the member's own key: ${what}`, async () => {
    let told = 0
    liar.lie = async (batch, forward, response) => {
      const answer = await forward()
      const texts = answer.body.toString().split('\n').slice(0, -1)
      const trailer = trailerOf(texts)
      const spoiled = how(answer, batch, texts, trailer) ?? liar.sign(batch, Buffer.from([...texts.slice(0, -1), JSON.stringify(trailer)].map((t) => `${t}\n`).join('')))
      assert.notDeepEqual([spoiled.body.toString(), spoiled.headers.signature], [answer.body.toString(), answer.headers.signature])
      told++
      liar.give(response, spoiled)
      return true
    }
    problem(await ask(), 502, 'answer-invalid')
    assert.equal(told, 1, 'the lie was told, and nobody asked again')
    await honest()
  })

test('signed anew without a lie the answer is believed: it is the lies that are found out', async () => {
  liar.lie = async (batch, forward, response) => (liar.give(response, liar.sign(batch, (await forward()).body)), true)
  const answer = await ask()
  assert.equal(answer.status, 200, answer.text)
  await honest()
})

test('the answer to another request is not believed, however good it is', async () => {
  let kept
  liar.lie = async (batch, forward, response) => (liar.give(response, (kept = await forward())), true)
  assert.equal((await ask()).status, 200)
  liar.lie = async (batch, forward, response) => (liar.give(response, kept), true)
  problem(await ask({}, { name: '另一家' }), 502, 'answer-invalid') // the kept one says match
  // The same with the request's header taken over by a new signature: the ids are those of the other request.
  liar.lie = async (batch, forward, response) => (liar.give(response, liar.sign(batch, kept.body)), true)
  await honest()
  liar.lie = async (batch, forward, response) => (liar.give(response, liar.sign(batch, kept.body)), true)
  problem(await ask(), 502, 'answer-invalid')
  await honest()
})

test('an answer that comes twice counts once, and the connection is not trusted further', async () => {
  liar.lie = async (batch, forward, response) => {
    const { headers, body } = await forward()
    const text = Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${Object.entries(headers).map(([k, v]) => `${k}: ${v}\r\n`).join('')}Content-Length: ${body.length}\r\n\r\n`), body])
    response.socket.write(Buffer.concat([text, text]))
    return true
  }
  const first = await ask()
  assert.equal(first.status, 200, first.text)
  liar.lie = null
  const second = await ask({}, { name: '另一家' })
  assert.equal(second.status, 200, second.text)
  assert.deepEqual(second.json.results, { name: 'mismatch' })
  assert.notEqual(first.json.id, second.json.id)
})

test('half an answer again and again: peer-unavailable within seconds, long before the deadline', async () => {
  let times = 0
  liar.lie = (batch, forward, s) => {
    times++
    s.writeHead(200, { 'Content-Length': 5000 })
    s.write('{"id"')
    setTimeout(() => s.destroy(), 20)
    return true
  }
  const begun = Date.now()
  const answer = await ask()
  problem(answer, 503, 'peer-unavailable')
  assert.ok(Number(answer.headers.get('retry-after')) > 0)
  assert.ok(times > 1, 'it was tried again')
  assert.ok(Date.now() - begun < 5000, `${Date.now() - begun} ms`)
  await honest()
})

test('half an answer once: the same ids are asked again, and the stored answer comes', async () => {
  const ids = []
  liar.lie = async (batch, forward, response) => {
    ids.push(...batch.lines.map((line) => JSON.parse(line)).filter((m) => m.type === 'verify').map((m) => m.id))
    const answer = await forward()
    if (ids.length > 1) return liar.give(response, answer), true
    response.writeHead(200, { ...answer.headers, 'Content-Length': answer.body.length })
    response.write(answer.body.subarray(0, 100))
    setTimeout(() => response.destroy(), 20)
    return true
  }
  const answer = await ask()
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual(ids, [answer.json.id, answer.json.id])
  await honest()
})

for (const [what, how] of Object.entries({
  'does not answer': () => {},
  'answers a byte at a time': (s) => {
    s.writeHead(200, { 'Content-Length': 100000 })
    const drip = setInterval(() => (s.destroyed ? clearInterval(drip) : s.write('x')), 50)
  },
}))
  test(`a provider that ${what}: peer-unavailable at the deadline that the caller gave`, async () => {
    liar.lie = (batch, forward, response) => (how(response), true)
    const begun = Date.now()
    const answer = await ask({ deadline_ms: 1200 })
    const took = Date.now() - begun
    problem(answer, 503, 'peer-unavailable')
    assert.ok(Number(answer.headers.get('retry-after')) > 0)
    assert.ok(took >= 1000 && took < 1700, `${took} ms`)
    await honest()
  })

test('one deadline does not end another\'s wait: both hear at their own', async () => {
  liar.lie = () => true
  const begun = Date.now()
  const took = await Promise.all([500, 1500].map(async (deadline_ms) => (problem(await ask({ deadline_ms }), 503, 'peer-unavailable'), Date.now() - begun)))
  assert.ok(took[0] < 1000 && took[1] >= 1300 && took[1] < 2000, String(took))
  for (const wrong of [50, 99999999, '1000']) assert.equal((await ask({ deadline_ms: wrong })).status, 400)
  await honest()
})

test('a provider that is down: peer-unavailable soon, with a time to come back, and the link says so', async () => {
  await liar.close()
  const begun = Date.now()
  const first = await ask()
  problem(first, 503, 'peer-unavailable')
  assert.ok(Number(first.headers.get('retry-after')) > 0)
  assert.ok(Date.now() - begun < 5000, `${Date.now() - begun} ms`)
  const again = Date.now()
  problem(await ask(), 503, 'peer-unavailable')
  assert.ok(Date.now() - again < 2500, 'known to be down: one try')
  const links = await (await r.signedIn(victim, 'operator')).get('/exchange/v1/links')
  assert.equal(links.json.items.find((each) => each.peer === bad).up, false)
  assert.equal(links.json.items.find((each) => each.peer === '110000').up, true)
  const gauge = async () => /tonghui_peer_up\{peer="133100"\} (\d)/.exec((await r.client(victim).get('/metrics')).text)?.[1]
  await until('the metric', async () => (await gauge()) === '0')
  await liar.open()
  const back = Date.now()
  await until('an answer', async () => (await ask()).status === 200)
  assert.ok(Date.now() - back < 2500, 'back within seconds')
  await until('the metric', async () => (await gauge()) === '1')
})

test('another TLS key in the member\'s place is not talked to', async () => {
  await liar.close()
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(r.dir, 'k.pem'), '-out', join(r.dir, 'c.pem'), '-days', '2', '-subj', '/CN=tonghui'], { stdio: 'ignore' })
  let [heard, met] = [0, 0]
  const thief = https.createServer({ cert: readFileSync(join(r.dir, 'c.pem')), key: readFileSync(join(r.dir, 'k.pem')) }, (q, s) => {
    heard++
    s.end()
  })
  thief.on('connection', () => met++)
  await new Promise((done) => thief.listen(r.nodes[bad].peerPort, '127.0.0.1', done))
  problem(await ask(), 502, 'wrong-pin')
  assert.ok(met > 0)
  await sleep(300)
  assert.equal(heard, 0)
  thief.closeAllConnections()
  await new Promise((done) => thief.close(done))
  await liar.open()
  await honest()
})

test('the journals of both sides are whole after all of it', async () => {
  for (const code of [bad, victim]) {
    await r.stop(code)
    assert.equal(JSON.parse(r.run('journal', 'check', '--node', r.nodes[code].dir, '--json')).ok, true)
  }
})
