// Nobody can show two histories: contradicting tree heads, shrinking ones, ones that continue nothing, and logs cut short, seen by real peers.
import assert from 'node:assert/strict'
import { cpSync, readdirSync, rmSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Liar } from '../lib/liar.mjs'
import { keyRead, Peer, sha256 } from '../lib/peer.mjs'
import { codes, Region, sleep, until } from '../lib/region.mjs'

const ed = 'ed25519-sha256'
const [two, far] = ['133100', '130000'] // the one with two faces, and one that is told nothing by it
const postgresql = process.env.TONGHUI_TEST_STORE === 'postgresql'
let r, liar, face, journal, watchers
before(async () => {
  r = await Region.make({ suites: Object.fromEntries(codes.map((c) => [c, ed])), aside: [two], config: { gossip_s: 1 } })
  liar = new Liar(r, two, '120000')
  await liar.open()
  await r.startAll()
  face = new Peer(r, two)
  journal = keyRead(r.nodes[two].dir, 'journal')
  watchers = Object.fromEntries(await Promise.all(codes.map(async (c) => [c, await r.signedIn(c, 'auditor')])))
})
after(async () => {
  await liar?.close()
  await r?.close()
})

const time = (ms = 0) => new Date(Date.now() + ms).toISOString().replace('Z', '000Z')
const alarms = async (code, kind) => (await watchers[code].get('/exchange/v1/alarms')).json.items.filter((a) => a.peer === two && a.kind === kind)
const tell = async (to, ...heads) => {
  const answer = await face.ask(to, [face.line(to, 'heads', { heads })])
  assert.equal(answer.lines?.[0].status, 200, JSON.stringify(answer))
}
const root = (text) => sha256(Buffer.from(text)).toString('base64url')
const log = `${two}.1`
const head = (size, name, ms) => journal.head({ log, size, root: root(name), at: time(ms) })
const ask = async (code, provider = two) => {
  const answer = await (ask[code] ??= r.keyed(code)).post('/exchange/v1/ask', { provider, register: 'population', operation: 'verify', key: { id_number: '11010519491231002X' }, claims: { name: 'x' }, purpose: { item: 'identity-check' } })
  return answer
}
/* What this node knows of the other's log. */
const known = async (code) => (await (await r.signedIn(code, 'operator')).get('/exchange/v1/links')).json.items.find((l) => l.peer === two).head
/* An alarm, its evidence, the journal's note of it, and the wall. */
async function alarmed(code, kind, evidence) {
  const [alarm] = await until(`${kind} at ${code}`, async () => {
    const found = await alarms(code, kind)
    return found.length && (!evidence || found.some((a) => evidence(JSON.parse(a.detail)))) && found.filter((a) => !evidence || evidence(JSON.parse(a.detail)))
  })
  assert.ok(alarm.zh && alarm.en)
  const detail = JSON.parse(alarm.detail)
  assert.equal(detail.length, 2, 'both heads are kept')
  const note = await until('the note in the journal', async () => (await watchers[code].get('/exchange/v1/journal?limit=200')).json.items.find((e) => e.direction === 'note' && e.alarm === kind && JSON.stringify(e.evidence) === alarm.detail))
  assert.equal(note.peer, two)
  return detail
}

test('honest members raise no alarm, however much they ask and gossip', async () => {
  for (let i = 0; i < 3; i++) {
    for (const code of ['110000', '120000', far]) assert.equal((await ask(code)).status, 200)
    await sleep(700)
  }
  await until('proofs of consistency to be asked', async () => {
    const r1 = (await watchers[two].get('/exchange/v1/journal?limit=200')).json.items
    return r1.length > 20
  })
  for (const code of codes) for (const other of codes) assert.deepEqual((await watchers[code].get('/exchange/v1/alarms')).json.items.filter((a) => a.peer === other), [])
})

test('unsigned gossip, and heads signed by others, are evidence of nothing', async () => {
  const good = head(5000, 'x')
  await tell('110000', { ...good, sig: good.sig.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')) }, face.message.head({ log, size: 5000, root: root('y'), at: time() }))
  const stranger = keyRead(r.nodes['120000'].dir, 'journal')
  await tell('110000', stranger.head({ log, size: 5000, root: root('z'), at: time() }))
  await sleep(300)
  assert.ok((await known('110000')).size < 5000)
  assert.deepEqual(await alarms('110000', 'equivocation'), [])
})

test('two heads of one size with different roots, shown to two members: both raise equivocation, and one who was shown neither', async () => {
  const streams = await Promise.all(['110000', far].map(async (code) => ({ code, text: '', response: await fetch(`${r.nodes[code].portal}/operations/v1/stream`) })))
  for (const s of streams)
    (async () => {
      for await (const piece of s.response.body) s.text += Buffer.from(piece)
    })().catch(() => {})
  await r.stop(two) // its keys speak, it itself would only be astonished
  const [a, b] = [head(6000, 'one', 5000), head(6000, 'other', 5000)]
  await tell('110000', a)
  await tell('120000', b)
  for (const code of ['110000', '120000']) assert.equal((await ask(code, far)).status, 200) // nodes talk when anything happens
  for (const code of ['110000', '120000', far]) {
    const detail = await alarmed(code, 'equivocation')
    assert.deepEqual(new Set(detail.map((h) => h.root)), new Set([a.root, b.root]))
    assert.equal((await alarms(code, 'equivocation')).length, 1, 'once')
  }
  for (const s of streams) await until('the wall to tell', async () => /event: alarm\ndata: .*equivocation/.test(s.text))
  const wall = (await r.client(far).get('/operations/v1/wall')).json
  assert.ok(JSON.stringify(wall.attention).includes('two histories'), JSON.stringify(wall.attention))
})

test('a tree head that shrinks is alarmed', async () => {
  await tell('110000', head(5500, 'shorter', 8000))
  const [small, large] = await alarmed('110000', 'head-shrunk')
  assert.deepEqual([small.size, large.size], [5500, 6000])
})

test('whoever begins a new log leaves no two histories behind: heads of the old one are still held together', async () => {
  const [a, b] = [journal.head({ log, size: 7000, root: root('seven'), at: time(9000) }), journal.head({ log, size: 7000, root: root('siete'), at: time(9000) })]
  await tell('110000', a)
  await tell('120000', b)
  for (const code of ['110000', '120000']) await tell(code, journal.head({ log: `${two}.2`, size: 1, root: root('fresh'), at: time(10000) }))
  // One of them knows of the old log only what it kept.
  await r.stop('110000')
  await r.start('110000')
  watchers['110000'] = await r.signedIn('110000', 'auditor')
  for (const code of ['110000', '120000']) assert.equal((await ask(code, far)).status, 200)
  for (const code of ['110000', '120000']) {
    const detail = await alarmed(code, 'equivocation', (d) => d[0].size === 7000)
    assert.deepEqual(new Set(detail.map((h) => h.root)), new Set([a.root, b.root]))
    assert.equal((await alarms(code, 'log-renewed')).length, 1)
  }
})

test('an older head that another member was shown has to be the beginning of ours', async () => {
  // A fresh region's worth of trust: what is known of 120000 by 110000 is honest and newer.
  const other = '120000'
  const own = keyRead(r.nodes[other].dir, 'journal')
  const told = async () => (await watchers['110000'].get('/exchange/v1/alarms')).json.items.filter((a) => a.peer === other)
  await ask(other)
  const seen = await until('its head', async () => {
    const h = (await (await r.signedIn('110000', 'operator')).get('/exchange/v1/links')).json.items.find((l) => l.peer === other).head
    return h?.size > 3 && h
  })
  // 133100 says that 120000 showed it another history, shorter than what 110000 saw. The signature is 120000's: only a proof can tell.
  const forged = own.head({ log: `${other}.1`, size: 2, root: root('another past'), at: time(-600000) })
  await tell('110000', forged)
  const alarm = await until('the alarm', async () => (await told()).find((a) => a.kind === 'inconsistent-heads'))
  const [older, newer] = JSON.parse(alarm.detail)
  assert.equal(older.root, forged.root)
  assert.ok(newer.size >= seen.size)
  // The true head of that size is no evidence against anybody.
  assert.deepEqual((await told()).map((a) => a.kind), ['inconsistent-heads'])
})

test('a head that continues nothing: the proof of consistency is asked for and does not come', async () => {
  const own = keyRead(r.nodes[far].dir, 'journal')
  const now = (await (await r.signedIn('110000', 'operator')).get('/exchange/v1/links')).json.items.find((l) => l.peer === far).head
  const forged = own.head({ log: `${far}.1`, size: now.size + 1000, root: root('nowhere'), at: time() })
  await tell('110000', forged)
  const alarm = await until('the alarm', async () => (await watchers['110000'].get('/exchange/v1/alarms')).json.items.find((a) => a.peer === far && a.kind === 'inconsistent-heads'))
  assert.equal(JSON.parse(alarm.detail)[1].root, forged.root)
  await ask('110000', far)
  // Its owner hears what was signed in its name, cannot go on from there, and begins a new log that says so.
  const owner = await until('the owner\'s alarm', async () => (await watchers[far].get('/exchange/v1/alarms')).json.items.find((a) => a.kind === 'own-log-behind'))
  assert.ok(owner.zh && owner.en)
})

test('what was known of others\' logs survives a restart: a log that went back meanwhile is found out', async () => {
  const [watcher, victim] = ['120000', '110000']
  const seen = async () => (await (await r.signedIn(watcher, 'operator')).get('/exchange/v1/links')).json.items.find((l) => l.peer === victim).head
  const asks = async (n) => {
    for (let i = 0; i < n; i++) await ask(watcher, victim)
  }
  await asks(2)
  // The victim's store is copied as it is, without the tool that would say so.
  await r.stop(victim)
  const copy = join(r.dir, 'copy')
  const files = () => readdirSync(r.nodes[victim].dir).filter((f) => f.startsWith('store.sqlite'))
  const name = postgresql ? r.databases[codes.indexOf(victim)] : null
  const sql = (...words) => execFileSync('psql', [process.env.TONGHUI_TEST_PG, '-q', ...words.flatMap((w) => ['-c', w])])
  if (postgresql) sql(`CREATE DATABASE ${name}_copy TEMPLATE ${name}`)
  else for (const f of files()) cpSync(join(r.nodes[victim].dir, f), join(copy, f))
  await r.start(victim)
  await asks(6)
  const before_ = await until('the proof of the newest head', async () => {
    const h = await seen()
    return h.size > 6 && h
  })
  await sleep(2500) // the proof is asked once a second
  await r.stop(watcher)
  await r.stop(victim)
  if (postgresql) sql(`DROP DATABASE ${name}`, `ALTER DATABASE ${name}_copy RENAME TO ${name}`)
  else {
    for (const f of files()) rmSync(join(r.nodes[victim].dir, f))
    for (const f of readdirSync(copy)) cpSync(join(copy, f), join(r.nodes[victim].dir, f))
  }
  await r.start(watcher)
  watchers[watcher] = await r.signedIn(watcher, 'auditor')
  const kept = await seen()
  assert.equal(kept?.log, before_.log, 'not forgotten')
  assert.ok(kept.size >= before_.size, `${kept.size} of ${before_.size}`)
  await r.start(victim)
  await asks(2)
  // Either the victim heard in time that others saw more, and began a new log that says so; or its peers hold two histories against it.
  const found = await until('an alarm', async () => (await watchers[watcher].get('/exchange/v1/alarms')).json.items.find((a) => a.peer === victim && ['log-renewed', 'head-shrunk', 'equivocation', 'inconsistent-heads'].includes(a.kind)))
  assert.ok(found.en)
  watchers[victim] = await r.signedIn(victim, 'auditor')
  if (found.kind === 'log-renewed') assert.notEqual((await watchers[victim].get('/exchange/v1/journal?limit=1')).json.log, before_.log)
})

test('every journal is whole, the notes of alarms with it', async () => {
  for (const code of codes) {
    await r.stop(code)
    assert.equal(JSON.parse(r.run('journal', 'check', '--node', r.nodes[code].dir, '--json')).ok, true)
  }
})
