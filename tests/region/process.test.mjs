// What happens to a process: clocks that go wrong, signals, descriptors and disks that run out, callers that dawdle, peers that die mid-batch.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, cpSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import tls from 'node:tls'
import { after, before, test } from 'node:test'
import { Peer } from '../lib/peer.mjs'
import { codes, faketime, patience, Region, sleep, startCase, until } from '../lib/region.mjs'

const ed = 'ed25519-sha256'
const [provider, consumer] = ['110000', '120000']
const postgresql = process.env.TONGHUI_TEST_STORE === 'postgresql'
let r, companies, auditor
before(async () => {
  r = await Region.make({ suites: { '110000': ed, '120000': ed }, proxied: true, config: { timeouts: { head_s: 2, body_s: 3, idle_s: 4 } } })
  await r.startAll()
  r.run('generate', join(r.dir, 'g'), '--code', provider, '--region', r.regionDir, '--people', '200', '--seed', '20260101')
  companies = readFileSync(join(r.dir, 'g/legal-persons.jsonl'), 'utf8').trim().split('\n').map((l) => JSON.parse(l))
  auditor = await r.signedIn(provider, 'auditor')
})
after(() => r?.close())

const bodyOf = (i = 0) => ({ provider, register: 'legal-persons', operation: 'verify', key: { uscc: companies[i].uscc }, claims: { name: companies[i].name }, purpose: { item: 'business-check' } })
let system
const ask = (more = {}) => (system ??= r.keyed(consumer)).post('/exchange/v1/ask', { ...bodyOf(), ...more })
const answered = () => until('an answer', async () => (await ask()).status === 200, 20000)
const cpuOf = (code) => {
  const words = readFileSync(`/proc/${r.nodes[code].child.pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(words[11]) + Number(words[12])) * 10 // ms
}
const whole = (code) => {
  const told = JSON.parse(r.run('journal', 'check', '--node', r.nodes[code].dir, '--json'))
  assert.equal(told.ok, true, code)
}

/* ---- callers that dawdle ---- */

const closing = (socket) => new Promise((done) => (socket.destroyed ? done(Date.now()) : socket.once('close', () => done(Date.now()))))
const secure = (code) => {
  const { tls: identity } = new Peer(r, consumer)
  return tls.connect({ host: '127.0.0.1', port: r.nodes[code].realPort, rejectUnauthorized: false, ...identity })
}
const plain = (code) => net.connect(r.nodes[code].port, '127.0.0.1')
const post = (path, n) => `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${n}\r\n\r\n`
for (const [what, open, text, limit] of [
  ['a head that trickles, on the portal', plain, 'GET /healthz HTTP/1.1\r\nHost: x\r\nX: ', 2],
  ['a body that trickles, on the portal', plain, post('/people/v1/session', 500), 3],
  ['silence, on the portal', plain, '', 2],
  ['a head that trickles, on the peers\' listener', secure, 'POST /exchange/v1/batch HTTP/1.1\r\nHost: x\r\nX: ', 2],
  ['a body that trickles, on the peers\' listener', secure, post('/exchange/v1/batch', 500), 3],
  ['silence after the handshake, on the peers\' listener', secure, '', 2],
  ['silence instead of a handshake, on the peers\' listener', (code) => net.connect(r.nodes[code].realPort, '127.0.0.1'), '', 2],
])
  test(`slow-loris: ${what} is given up at its limit, and others are answered meanwhile`, async () => {
    const round = async () => {
      const at = Date.now()
      assert.equal((await ask()).status, 200)
      assert.equal((await fetch(`${r.nodes[provider].portal}/healthz`)).status, 200)
      return Date.now() - at
    }
    // How fast this machine is at the moment: others may be at work on it.
    const calm = Math.max(await round(), await round(), await round())
    const begun = Date.now()
    const sockets = Array.from({ length: 60 }, () => open(provider))
    sockets.forEach((socket) => socket.on('error', () => {}).on('data', () => {}))
    await Promise.all(sockets.map((s) => new Promise((done) => s.once(s instanceof tls.TLSSocket ? 'secureConnect' : 'connect', done))))
    const opened = Date.now()
    sockets.forEach((socket) => text && socket.write(text))
    const drip = setInterval(() => text && sockets.forEach((socket) => socket.destroyed || socket.write('x')), 200)
    const meanwhile = []
    const worker = (async () => {
      for (let i = 0; i < 5; i++) {
        meanwhile.push(await round())
        await sleep(150)
      }
    })()
    const closed = await Promise.all(sockets.map(closing))
    clearInterval(drip)
    await worker
    assert.ok(Math.min(...closed) - begun >= limit * 1000 - 300, `not before: ${Math.min(...closed) - begun}`)
    assert.ok(Math.max(...closed) - opened < limit * 1000 + (1500 + 5 * calm) * patience, `at the limit: ${Math.max(...closed) - opened}, ${calm} calm`)
    assert.ok(Math.max(...meanwhile) < (1000 + 5 * calm) * patience, `${meanwhile}, ${calm} calm`)
  })

/* ---- signals ---- */

test('SIGHUP: a new certificate is taken by both sides, without a connection lost; files that do not fit together are not', async () => {
  const dir = r.nodes[provider].dir
  const presented = () =>
    new Promise((done, failed) => {
      const s = secure(provider)
      s.once('secureConnect', () => (done(s.getPeerCertificate().fingerprint256), s.destroy()))
      s.once('error', failed)
    })
  const reload = async () => {
    const before_ = r.nodes[provider].log.length
    r.nodes[provider].child.kill('SIGHUP')
    await until('the reload', async () => /"event":"reload/.test(r.nodes[provider].log.slice(before_)))
    return r.nodes[provider].log.slice(before_)
  }
  const old = await presented()
  const pair = (name) => execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(r.dir, `${name}.key`), '-out', join(r.dir, `${name}.pem`), '-days', '2', '-subj', '/CN=tonghui'], { stdio: 'ignore' })
  pair('new')
  pair('other')
  const spki = execFileSync('sh', ['-c', `openssl x509 -in ${join(r.dir, 'new.pem')} -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64`], { encoding: 'utf8' }).trim()
  // The region hears of the new key first, beside the old one; then the node takes it.
  await r.trustChange((s) => s.members.find((m) => m.code === provider).tls.push(`sha256/${spki}`))
  cpSync(join(r.dir, 'new.pem'), join(dir, 'keys/tls.cert.pem'))
  cpSync(join(r.dir, 'other.key'), join(dir, 'keys/tls.key.pem'))
  assert.match(await reload(), /reload-failed/)
  assert.equal(await presented(), old, 'the old pair stays')
  await answered()
  cpSync(join(r.dir, 'new.key'), join(dir, 'keys/tls.key.pem'))
  assert.match(await reload(), /reloaded/)
  assert.notEqual(await presented(), old)
  await answered()
  await r.trustChange((s) => (s.members.find((m) => m.code === provider).tls = [`sha256/${spki}`]))
  r.proxies[provider].drop()
  await answered()
  // As caller too: the provider's own asks go out under the new key, and are answered.
  const back = await r.keyed(provider, 'back').post('/exchange/v1/ask', { ...bodyOf(), provider: consumer, key: { uscc: companies[0].uscc } })
  assert.equal(back.status, 200, back.text)
  // Signals come for other reasons too, and often: no number of them keeps a certificate from being taken.
  for (let i = 0; i < 40; i++) r.nodes[provider].child.kill('SIGHUP'), await sleep(5)
  assert.match(await reload(), /reloaded/)
})

test('SIGHUP: configuration is read again', async () => {
  const wait = async () => {
    const begun = Date.now()
    const s = plain(provider)
    s.on('error', () => {})
    s.write('GET /healthz HTTP/1.1\r\n')
    return (await closing(s)) - begun
  }
  r.configure(provider, (c) => (c.timeouts.head_s = 1))
  r.nodes[provider].child.kill('SIGHUP')
  await until('the shorter limit', async () => (await wait()) < 1800)
  r.configure(provider, (c) => (c.timeouts.head_s = 2))
  r.nodes[provider].child.kill('SIGHUP')
})

test('SIGTERM: what was begun is answered, streams end, nothing new is taken, and the process ends by itself', async () => {
  r.proxies[provider].rules[consumer] = { delay: 400 }
  const node = r.nodes[consumer]
  const child = node.child
  const ended = new Promise((done) => child.once('exit', (code, signal) => done({ code, signal, at: Date.now() })))
  const stream = await fetch(`${node.portal}/operations/v1/stream`)
  const streamEnded = (async () => {
    for await (const piece of stream.body) void piece
  })().catch(() => {})
  const asking = ask()
  await sleep(150)
  const begun = Date.now()
  child.kill('SIGTERM')
  await until('the listener to close', async () => {
    try {
      return (await fetch(`${node.portal}/readyz`)).status !== 200
    } catch {
      return true
    }
  }, 2000)
  const answer = await asking
  assert.equal(answer.status, 200, answer.text)
  await streamEnded
  const { code, signal, at } = await ended
  assert.deepEqual([code, signal], [0, null])
  assert.ok(at - begun < 5000 * patience, `${at - begun} ms`)
  r.proxies[provider].heal(consumer)
  whole(consumer)
  await r.start(consumer)
  await answered()
})

test('SIGTERM at the provider: batches that were begun are answered', async () => {
  const child = r.nodes[provider].child
  const gone = new Promise((done) => child.once('exit', done))
  const many = () => system.post('/exchange/v1/ask:batch', { asks: companies.slice(0, 100).map((c, i) => bodyOf(i)) })
  const asked = [many(), many()]
  await sleep(5)
  child.kill('SIGTERM')
  assert.equal(await gone, 0)
  await r.start(provider)
  auditor = await r.signedIn(provider, 'auditor')
  for (const answer of await Promise.all(asked)) {
    assert.equal(answer.status, 200)
    assert.ok(answer.json.items.every((i) => i.results?.name === 'match'), 'each was answered, before the stop or after the start')
  }
})

/* ---- peers that die ---- */

test('a peer killed mid-batch and started again: every ask is answered, each once', async () => {
  for (let round = 0; round < 3; round++) {
    const asked = Array.from({ length: 4 }, () => system.post('/exchange/v1/ask:batch', { asks: companies.slice(0, 150).map((c, i) => bodyOf(i)) }))
    await sleep(round * 12)
    await r.stop(provider, 'SIGKILL')
    await r.start(provider)
    for (const answer of await Promise.all(asked)) {
      assert.equal(answer.status, 200, answer.text.slice(0, 300))
      const wrong = answer.json.items.find((i) => i.results?.name !== 'match')
      assert.equal(wrong, undefined, JSON.stringify(wrong))
    }
  }
  auditor = await r.signedIn(provider, 'auditor')
})

test('kill -9 after the commit and before the answer: the retry of the same ids gets the stored answers', async () => {
  // The proxy keeps the answer back until the provider has committed it and is dead.
  const committed = async () => (await auditor.get('/exchange/v1/journal?limit=200')).json.items.filter((e) => e.direction === 'answered' && e.peer === consumer && e.item === 'business-check')
  await ask()
  const before_ = (await committed())[0].index
  r.proxies[provider].rules[consumer] = { holdAnswers: true }
  const asking = ask({ deadline_ms: 20000 })
  const first = await until('the commit', async () => (await committed()).find((e) => e.index > before_))
  await r.stop(provider, 'SIGKILL')
  r.proxies[provider].heal(consumer)
  r.proxies[provider].drop()
  await r.start(provider)
  const answer = await asking
  assert.equal(answer.status, 200, answer.text)
  auditor = await r.signedIn(provider, 'auditor')
  const entries = (await committed()).filter((e) => e.id === answer.json.id)
  assert.equal(first.id, answer.json.id)
  assert.equal(entries.length, 2, 'given twice')
  assert.deepEqual([entries[0].leaf, entries[0].answer], [entries[1].leaf, entries[1].answer], 'the same bytes both times')
})

/* ---- clocks ---- */

/* To a provider whose clock is ahead the caller's is behind, and the other way about. (`created` is in whole seconds: 32 is surely above 31.) */
for (const [off, words] of [['+361s', 'six minutes behind'], ['-32s', '31 seconds ahead']])
  test(`a caller whose clock is ${words} of its provider's is refused with both clocks; its effects wait and arrive when the clocks agree again`, async () => {
    await r.trustChange((s) => (s.issued = new Date(Date.now() - 86400000).toISOString()))
    await r.stop(provider)
    await r.start(provider, { env: faketime(off) })
    const seconds = off === '+361s' ? 361 : -32
    const answer = await until('a refusal', async () => {
      const a = await ask()
      return a.json.type?.endsWith('clock-skew') && a
    })
    assert.equal(answer.status, 403)
    const clocks = answer.json.title_en.match(/\d{4}-\d\d-\d\dT[\d:.]+Z/g).map((t) => Date.parse(t) / 1000)
    assert.ok(Math.abs(clocks[1] - clocks[0] - seconds) < 2, answer.json.title_en)
    // An effect on its way to it is not lost: a request for one of its datasets.
    const operator = await r.signedIn(consumer, 'operator')
    const asked = await operator.post('/records/v1/catalogue/register-legal-persons:request', { provider, reason: `clock ${off}`, fields: ['name'], item: 'business-check' })
    assert.equal(asked.status, 200, asked.text)
    const waiting = async () => (await operator.get('/exchange/v1/links')).json.items.find((l) => l.peer === provider).outbox
    await until('the effect to wait', async () => (await waiting()).waiting === 1)
    await r.stop(provider)
    await r.start(provider)
    await answered()
    await until('the effect to arrive', async () => (await waiting()).waiting === 0, 20000)
    assert.equal((await waiting()).dead, 0)
    const there = await r.signedIn(provider, 'operator')
    assert.equal((await there.get('/records/v1/requests')).json.items.filter((q) => q.reason === `clock ${off}`).length, 1)
    auditor = await r.signedIn(provider, 'auditor')
  })

/* ---- descriptors ---- */

test('few descriptors and many callers: the node keeps some for its work, does not spin, and goes on when the callers are gone', async () => {
  await r.stop(provider)
  await r.start(provider, { wrap: ['prlimit', '--nofile=96:96'] })
  r.configure(provider, (c) => (c.timeouts = { head_s: 30 }))
  r.nodes[provider].child.kill('SIGHUP')
  await answered()
  const sockets = Array.from({ length: 150 }, () => plain(provider).on('error', () => {}))
  await sleep(500)
  const fds = execFileSync('sh', ['-c', `ls /proc/${r.nodes[provider].child.pid}/fd | wc -l`], { encoding: 'utf8' }).trim()
  assert.ok(Number(fds) < 96, `${fds} descriptors in use`)
  const cpu = cpuOf(provider)
  await sleep(1500)
  assert.ok(cpuOf(provider) - cpu < 700 * patience, `${cpuOf(provider) - cpu} ms of CPU in 1.5 s`)
  const refused = await ask({ deadline_ms: 1500 })
  assert.ok([200, 503, 500, 429].includes(refused.status), refused.text)
  sockets.forEach((socket) => socket.destroy())
  await answered()
  assert.equal((await fetch(`${r.nodes[provider].portal}/readyz`)).status, 200)
  r.configure(provider, (c) => (c.timeouts = { head_s: 2, body_s: 3, idle_s: 4 }))
  await r.stop(provider)
  whole(provider)
  await r.start(provider)
  auditor = await r.signedIn(provider, 'auditor')
})

/* ---- disks ---- */

/* The store of `code` on a small tmpfs of its own (PostgreSQL: a tablespace there). */
async function small(code, mb) {
  const dir = join(r.dir, `small-${code}`)
  mkdirSync(dir)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mb}m,mode=777`, 'tmpfs', dir])
  r.mounts.push(dir)
  await r.stop(code)
  let back
  if (postgresql) {
    const name = r.databases[codes.indexOf(code)]
    const sql = (text) => execFileSync('psql', [process.env.TONGHUI_TEST_PG, '-qc', text])
    const space = `small_${name}`
    mkdirSync(join(dir, 'pg'))
    execFileSync('chown', ['postgres', join(dir, 'pg')])
    execFileSync('chmod', ['755', r.dir])
    sql(`CREATE TABLESPACE ${space} LOCATION '${join(dir, 'pg')}'`)
    sql(`ALTER DATABASE ${name} SET TABLESPACE ${space}`)
    back = () => {
      sql(`ALTER DATABASE ${name} SET TABLESPACE pg_default`)
      sql(`DROP TABLESPACE ${space}`)
    }
  } else {
    const from = r.nodes[code].dir
    const move = (a, b) => readdirSync(a).filter((f) => f.startsWith('store.sqlite')).forEach((f) => (cpSync(join(a, f), join(b, f)), rmSync(join(a, f))))
    move(from, dir)
    r.configure(code, (c) => (c.store = `sqlite:${join(dir, 'store.sqlite')}`))
    back = () => {
      move(dir, from)
      r.configure(code, (c) => (c.store = 'sqlite:store.sqlite'))
    }
  }
  await r.start(code)
  const filler = join(dir, 'filler')
  return {
    fill() {
      const fd = openSync(filler, 'a')
      for (let size = 1 << 20; size >= 1; size >>= 1)
        try {
          for (;;) writeSync(fd, Buffer.alloc(size))
        } catch (cause) {
          assert.equal(cause.code, 'ENOSPC')
        }
      closeSync(fd)
    },
    free: () => rmSync(filler),
    async done() {
      await r.stop(code)
      back()
      execFileSync('umount', [dir])
      r.mounts.pop()
      await r.start(code)
    },
  }
}

for (const code of [provider, consumer])
  test(`a full disk at the ${code === provider ? 'provider' : 'consumer'}: writes are refused with out-of-space, reads go on, and it recovers by itself`, { skip: process.getuid() !== 0 && 'mounting needs root' }, async () => {
    const disk = await small(code, postgresql ? 64 : 24)
    const [watcher, clerk] = [await r.signedIn(code, 'auditor'), await r.signedIn(code, 'clerk')]
    const citizen = await r.signedIn(code, 'citizen')
    await answered()
    const full = async (act) => {
      disk.fill()
      return act()
    }
    // What is free inside the files is used up first.
    const refused = await until('out-of-space', async () => {
      const answers = await full(() => Promise.all([ask({ deadline_ms: 5000 }), system.post('/exchange/v1/ask:batch', { asks: companies.slice(0, 100).map((c, i) => bodyOf(i)) })]))
      return answers[0].status !== 200 && answers[0]
    }, 60000)
    assert.equal(refused.status, 507, refused.text)
    assert.match(refused.json.type, /:out-of-space$/)
    // At the node itself: every kind of write says so; nothing that was there is lost to readers.
    const started = await until('a write to be refused', async () => {
      disk.fill()
      const a = await startCase(citizen, 'HE-TALENT-CARD')
      return a.status !== 201 && a
    })
    assert.equal(started.status, 507, started.text)
    assert.match(started.json.type, /:out-of-space$/)
    for (const [who, path] of [[watcher, '/exchange/v1/journal?limit=200'], [clerk, '/cases/v1/cases?view=worklist'], [watcher, '/exchange/v1/links'], [citizen, '/cases/v1/cases?view=mine'], [r.client(code), '/records/v1/catalogue'], [r.client(code), '/metrics'], [r.client(code), '/readyz']]) {
      const read = await who.get(path)
      assert.equal(read.status, 200, `${path} ${read.text.slice(0, 200)}`)
    }
    disk.free()
    await answered()
    assert.equal((await startCase(citizen)).status, 201)
    await disk.done()
    await r.stop(code)
    whole(code)
    await r.start(code)
    auditor = await r.signedIn(provider, 'auditor')
    system = undefined
  })

test('after all of it every journal is whole', async () => {
  for (const code of codes) {
    await r.stop(code)
    whole(code)
  }
})
