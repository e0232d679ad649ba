// doctor finds each of the likeliest misconfigurations, when it is there and not when it is not, and says what to do in both languages.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Region, binary, codes, root } from '../lib/region.mjs'

const SUBJECT = '120000'
let r, home
before(async () => {
  r = await Region.make({ people: 40, suites: Object.fromEntries(codes.map((c) => [c, 'ed25519-sha256'])) })
  await r.startAll()
  home = r.nodes[SUBJECT].dir
})
after(() => r?.close())

const examine = (dir = home, wrap = []) => {
  const words = [...wrap, binary, 'doctor', '--node', dir, '--json']
  const told = spawnSync(words[0], words.slice(1), { encoding: 'utf8', env: { ...process.env, ...r.env } })
  const report = JSON.parse(told.stdout)
  const bad = report.checks.filter((c) => !c.ok)
  assert.equal(report.faults, bad.length)
  assert.equal(told.status, bad.length ? 1 : 0)
  for (const c of bad) assert.ok(/[\u4e00-\u9fff]/.test(c.remedy.zh) && c.remedy.en.length > 20 && !/[\u4e00-\u9fff]/.test(c.remedy.en), JSON.stringify(c))
  return bad.map((c) => c.check)
}
const config = (change, dir = home) => {
  const file = join(dir, 'node.json')
  const before_ = readFileSync(file, 'utf8')
  const json = JSON.parse(before_)
  change(json)
  writeFileSync(file, JSON.stringify(json))
  return () => writeFileSync(file, before_)
}
const found = (check, undo, dir, wrap) => {
  try {
    const bad = examine(dir, wrap)
    assert.ok(bad.includes(check), `${check} not among ${bad}`)
    return bad
  } finally {
    undo?.()
  }
}

test('a region that runs as it should has nothing to tell', () => {
  assert.deepEqual(examine(), [])
  const words = spawnSync(binary, ['doctor', '--node', home, '--lang', 'en'], { encoding: 'utf8' })
  assert.equal(words.status, 0)
  assert.match(words.stderr, /0 faults/)
})

test('1: a member of node.json is missing or wrong', () => {
  assert.deepEqual(found('configuration', config((c) => (c.suite = 'rot13'))), ['configuration'])
  found('configuration', config((c) => delete c.store))
  found('configuration', config((c) => (c.demonstartion = true)))
  found('configuration', config((c) => (c.portal.prot = 1)))
})
test('2: a key file is gone', () => {
  const file = join(home, 'keys/journal.json')
  const text = readFileSync(file)
  rmSync(file)
  found('keys', () => writeFileSync(file, text, { mode: 0o600 }))
})
test('3: others can read a key', () => {
  const file = join(home, 'keys/secret')
  chmodSync(file, 0o644)
  assert.deepEqual(found('key-permissions', () => chmodSync(file, 0o600)), ['key-permissions'])
})
test('4: the region’s folder is elsewhere', () => {
  found('region-folder', config((c) => (c.region = '/nowhere')))
})
test('5: the console is not built', () => {
  const empty = join(r.dir, 'empty')
  mkdirSync(empty, { recursive: true })
  found('console', config((c) => (c.console = empty)))
})
test('6: the store cannot be opened', () => {
  found('store', config((c) => (c.store = 'sqlite:nowhere/store.sqlite')))
  found('store', config((c) => (c.store = 'postgresql:///none?host=/nowhere')))
})
test('7: the trust document ends soon, or has ended', () => {
  assert.ok(!examine(home, ['faketime', '-f', '+100d']).includes('trust-expiry'))
  found('trust-expiry', null, home, ['faketime', '-f', '+340d'])
  found('trust-expiry', null, home, ['faketime', '-f', '+400d'])
})
test('8: the keys are not those of the trust document', () => {
  const file = join(home, 'keys/message.json')
  const text = readFileSync(file)
  writeFileSync(file, readFileSync(join(r.nodes['130000'].dir, 'keys/message.json')), { mode: 0o600 })
  assert.deepEqual(found('own-keys', () => writeFileSync(file, text, { mode: 0o600 })), ['own-keys'])
})
test('9: the TLS certificate was renewed without telling the governors', () => {
  const kept = ['cert', 'key'].map((k) => [join(home, `keys/tls.${k}.pem`), readFileSync(join(home, `keys/tls.${k}.pem`))])
  for (const [file] of kept) writeFileSync(file, readFileSync(file.replace(SUBJECT, '133100')), { mode: 0o600 })
  found('tls-pin', () => kept.forEach(([file, text]) => writeFileSync(file, text, { mode: 0o600 })))
})
test('10: the address in node.json is not the one that the region knows', () => {
  assert.deepEqual(found('peer-address', config((c) => (c.peers.url = 'https://node.example:8443'))), ['peer-address'])
})
test('11: a peer does not answer', async () => {
  await r.stop('133100')
  const bad = found('peer-133100')
  assert.deepEqual(bad, ['peer-133100'])
  await r.start('133100')
})
test('12: the clock is wrong', () => {
  const bad = found('clock-110000', null, home, ['faketime', '-f', '+45s'])
  assert.ok(bad.includes('clock-130000'))
})
test('13: the portal is in the open without TLS, and a demonstration too', () => {
  const bad = found('portal-tls', config((c) => (c.portal.address = '0.0.0.0')))
  assert.ok(bad.includes('demonstration'))
})
/* What a running node holds is looked at with a copy that does not run. */
const copy = () => {
  const to = join(mkdtempSync(join(tmpdir(), 'tonghui-doctor-')), SUBJECT)
  cpSync(home, to, { recursive: true, filter: (from) => !from.endsWith('/lock') })
  return to
}
test('14: the database behind a register is away', () => {
  const dir = copy(), city = join(dir, 'city'), file = join(r.dir, 'source.json')
  mkdirSync(city)
  writeFileSync(file, JSON.stringify({ register: 'population', source: 'sql', database: `sqlite:${city}/city.sqlite`, verify_query: 'SELECT name FROM resident WHERE id_number = ?1', columns: ['name'] }))
  execFileSync(binary, ['register', 'source', file, '--node', dir], { stdio: 'ignore' })
  assert.ok(!examine(dir).includes('source-population'))
  rmSync(city, { recursive: true })
  found('source-population', () => rmSync(dir, { recursive: true }), dir)
})
test('15: a port is taken', async () => {
  const dir = copy()
  const taken = createServer()
  await new Promise((done) => taken.listen(0, '127.0.0.1', done))
  config((c) => (c.portal.port = taken.address().port), dir)
  config((c) => (c.peers.port = 0), dir)
  found('ports', () => taken.close(), dir)
  rmSync(dir, { recursive: true })
})
test('16: there is no trust document, or this node is not in it', () => {
  const dir = join(r.dir, 'fresh')
  execFileSync(binary, ['init', dir, '--code', '140000', '--region', join(root, 'region/jingjinji'), '--portal-port', '1', '--peer-port', '2'], { stdio: 'ignore' })
  if (!process.env.TONGHUI_TEST_STORE) {
    execFileSync(binary, ['register', 'list', '--node', dir]) // makes the store
    const bad = found('trust-document', null, dir)
    assert.ok(!bad.includes('store'))
    execFileSync(binary, ['region', 'apply', r.trustFile, '--node', dir], { stdio: 'ignore' })
    assert.ok(found('membership', null, dir).includes('membership'))
  }
})
test('17: the disk is nearly full', { skip: process.getuid() !== 0 && 'a small file system needs root' }, () => {
  const at = join(r.dir, 'small')
  mkdirSync(at)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'none', at])
  try {
    const dir = copy()
    cpSync(dir, join(at, SUBJECT), { recursive: true })
    rmSync(dir, { recursive: true })
    assert.ok(existsSync(join(at, SUBJECT, 'node.json')))
    found('disk', null, join(at, SUBJECT))
  } finally {
    execFileSync('umount', [at])
  }
})
test('18: the user may not write the directory', { skip: process.getuid() !== 0 && 'another user needs root' }, () => {
  const dir = copy()
  chmodSync(join(dir, '..'), 0o755)
  chmodSync(dir, 0o755)
  found('directory', () => rmSync(dir, { recursive: true }), dir, ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'])
})
