// Both ways to start a region, `tonghui up` and ./run: first and second start, every way to stop, what goes wrong and what is said then.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { Client, binary, codes, freeBase, password, root, sleep, until } from '../lib/region.mjs'

const dir = mkdtempSync(join(tmpdir(), 'tonghui-up-'))
const region = join(root, 'region/jingjinji')
const started = new Set()
let base, claim
before(async () => {
  chmodSync(dir, 0o755) // another user and PostgreSQL come by
  ;({ base, claim } = await freeBase())
})
afterEach(() => {
  for (const child of started) if (child.exitCode === null) child.kill('SIGKILL') // of a test that failed
  started.clear()
})
after(async () => {
  rmSync(claim, { recursive: true, force: true })
  await sleep(200)
  rmSync(dir, { recursive: true, force: true })
})

/* Processes whose command line names `text`: nodes name their directory. */
const running = (text) =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text) && !readlinkSync(`/proc/${pid}/exe`).endsWith('/node')
    } catch {
      return false
    }
  })

function begin(command, words, { env = {}, cwd = dir } = {}) {
  const child = spawn(command, words, { cwd, env: { ...process.env, TONGHUI_LANG: 'zh', ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  started.add(child)
  const r = { child, said: '', at: Date.now() }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (r.said += bytes))
  r.ended = new Promise((done) => child.once('close', (code, signal) => done(signal ?? code)))
  r.up = async () => {
    await until('the region to be up or this to end', () => child.exitCode !== null || r.said.includes('Ctrl-C'), 60000)
    assert.equal(child.exitCode, null, r.said)
    return Date.now() - r.at
  }
  r.stop = async (signal = 'SIGINT') => {
    child.kill(signal)
    return r.ended
  }
  return r
}
const up = (name, ...words) => begin(binary, ['up', '--region', region, '--dir', join(dir, name), ...words])
const small = () => ['--people', '40', '--port-base', String(base)]
const nobodyLeft = (what, ms = 4000) => until(`nothing of ${what} to be left`, () => running(what).length === 0, ms)
const portal = (i) => `http://127.0.0.1:${base + 10 * (i + 1)}`

test('first start: every portal and a sign-in of every role, all of them true; Ctrl-C ends it', async () => {
  const r = up('a', ...small())
  await r.up()
  for (const [i, code] of codes.entries()) {
    assert.ok(r.said.includes(code) && r.said.includes(portal(i)), r.said)
    assert.equal((await fetch(`${portal(i)}/readyz`)).status, 200)
  }
  const rows = r.said.split('\n').flatMap((line) => [...line.matchAll(/^ {2}(\S+ (?:citizen|clerk|head of office|duty officer|accountant|operator|auditor)) +(\S+) +(http:\/\/127\.0\.0\.1:\d+)/g)])
  assert.equal(rows.length, 7, r.said)
  for (const [, role, login, url] of rows) assert.equal((await new Client(url).signIn(login, password)).status, 200, `${role} ${login} ${url}`)
  assert.match(r.said, /密码 password.*：tonghui-demo/)
  assert.equal(running(join(dir, 'a')).length, 5)
  assert.equal(await r.stop('SIGINT'), 0)
  assert.equal(running(join(dir, 'a')).length, 0, 'all four had ended before it did')
})

test('second start goes on with what is there, within five seconds; SIGTERM and SIGHUP end it', async () => {
  const trust = readFileSync(join(dir, 'a/region.json'), 'utf8')
  for (const signal of ['SIGTERM', 'SIGHUP']) {
    const r = up('a')
    assert.ok((await r.up()) < 5000)
    assert.equal(readFileSync(join(dir, 'a/region.json'), 'utf8'), trust)
    assert.equal(await r.stop(signal), 0)
    assert.equal(running(join(dir, 'a')).length, 0)
  }
})

test('kill -9 of the supervisor leaves no node behind', async () => {
  const r = up('a')
  await r.up()
  assert.equal(running(join(dir, 'a')).length, 5)
  await r.stop('SIGKILL')
  await nobodyLeft(join(dir, 'a'))
  const again = up('a')
  await again.up()
  await again.stop()
})

test('a node that falls is started again, and a region that runs is not started twice', async () => {
  const r = up('a')
  await r.up()
  const twice = up('a')
  assert.equal(await twice.ended, 3)
  assert.match(twice.said, new RegExp(`已在运行（进程 ${r.child.pid}）`))
  const fresh = up('a', '--fresh', ...small())
  assert.equal(await fresh.ended, 3)
  assert.ok(existsSync(join(dir, 'a/made')), '--fresh took nothing away from the one that runs')
  const victim = running(join(dir, 'a/130000'))
  assert.equal(victim.length, 1)
  process.kill(Number(victim[0]), 'SIGKILL')
  await until('the word of it', () => r.said.includes('130000 意外停止'))
  await until('Hebei to be back', async () => (await fetch(`${portal(2)}/readyz`)).status === 200)
  assert.equal(await r.stop(), 0)
  assert.equal(running(join(dir, 'a')).length, 0)
})

test('a taken port is named, with who and what to do, before anything starts', async () => {
  const port = base + 21
  const taken = createServer()
  await new Promise((done) => taken.listen(port, '127.0.0.1', done))
  try {
    const made = up('a')
    assert.equal(await made.ended, 3)
    assert.match(made.said, new RegExp(`天津市 节点间端口 ${port} .*ss -ltnp 'sport = :${port}'.*--fresh --port-base`))
    const fresh = up('b', ...small())
    assert.equal(await fresh.ended, 3)
    assert.match(fresh.said, new RegExp(`${port} .*--port-base P`))
    assert.ok(!existsSync(join(dir, 'b/made')) && running(dir).length === 0)
  } finally {
    taken.close()
  }
})

test('an option that the region was not made with is refused, not ignored', async () => {
  for (const words of [['--people', '41'], ['--port-base', '9000'], ['--seed', '7'], ['--store', 'postgresql:///n_{code}'], ['--life', '1']]) {
    const r = up('a', ...words)
    assert.equal(await r.ended, 3, words.join(' '))
    assert.match(r.said, new RegExp(`建立时 ${words[0]} 为 .*--fresh`))
  }
  const same = up('a', ...small(), '--make-only')
  assert.equal(await same.ended, 0)
})

test('--fresh makes a new region; a first use that did not end is made anew', async () => {
  const trust = readFileSync(join(dir, 'a/region.json'), 'utf8')
  const fresh = up('a', '--fresh', ...small(), '--make-only')
  assert.equal(await fresh.ended, 0, fresh.said)
  assert.notEqual(readFileSync(join(dir, 'a/region.json'), 'utf8'), trust)
  const broken = up('c', '--people', '40000', '--port-base', String(base))
  await until('loading to begin', () => broken.said.includes('120000'), 30000)
  broken.child.kill('SIGINT')
  await broken.ended
  assert.ok(!existsSync(join(dir, 'c/made')))
  const whole = up('c', ...small(), '--make-only')
  assert.equal(await whole.ended, 0, whole.said)
  assert.ok(existsSync(join(dir, 'c/made')))
})

test('a directory that cannot be written is named', { skip: process.getuid() !== 0 && 'another user needs root' }, () => {
  const locked = join(dir, 'locked')
  mkdirSync(locked)
  chmodSync(dir, 0o755)
  for (const [from, to] of [[binary, 'tonghui'], [region, 'region']]) cpSync(from, join(dir, to), { recursive: true }) // the checkout may be closed to others
  const as = (...words) => spawnSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', join(dir, 'tonghui'), 'up', '--region', join(dir, 'region'), ...words], { encoding: 'utf8', env: { ...process.env, TONGHUI_LANG: 'en' } })
  for (const words of [['--dir', locked], ['--dir', join(locked, 'below')]]) {
    const r = as(...words)
    assert.equal(r.status, 1, r.stderr)
    assert.match(r.stderr, new RegExp(`${locked}.*Permission denied`))
  }
})

/* ---- ./run ---- */

const run = (words, options = {}) => begin(join(root, 'run'), words, { ...options, env: { TONGHUI_VAR: join(dir, 'run'), ...options.env } })

test('./run: help, wrong options, another directory, first and second start', async () => {
  const help = run(['--help'])
  assert.equal(await help.ended, 0)
  for (const option of ['--fresh', '--people', '--port-base', '--store postgresql', '--build-only']) assert.ok(help.said.includes(option), option)
  for (const words of [['--bogus'], ['--people'], ['--people', 'x'], ['--store', 'oracle'], ['--port-base=']]) assert.equal(await run(words).ended, 2, words.join(' '))
  const build = run(['--build-only'])
  assert.equal(await build.ended, 0, build.said)
  const first = run(['--people', '40', '--port-base', String(base)], { cwd: '/' })
  await first.up()
  assert.equal(await first.stop(), 0)
  const second = run([])
  await second.up()
  assert.ok(!/npm ci|compiling|vite/.test(second.said), `the second start builds nothing: ${second.said.slice(0, 400)}`)
  assert.equal(running(join(dir, 'run')).length, 5)
  assert.equal(await second.stop('SIGTERM'), 0)
  assert.equal(running(join(dir, 'run')).length, 0)
  const other = run(['--store', 'postgresql'])
  assert.equal(await other.ended, 3)
  assert.match(other.said, /made with sqlite/)
})

test('./run --store postgresql: its cluster comes and goes with it, also by kill -9', { skip: !existsSync('/usr/lib/postgresql/15/bin/initdb') && 'PostgreSQL 15 is not here' }, async () => {
  const first = run(['--fresh', '--store', 'postgresql', '--people', '40', '--port-base', String(base)])
  await first.up()
  assert.ok(running(join(dir, 'run/postgresql')).length > 1, 'PostgreSQL runs')
  const c = new Client(portal(0))
  assert.equal((await c.signIn('operator', password)).status, 200)
  assert.equal(await first.stop(), 0)
  await nobodyLeft(join(dir, 'run'), 15000)
  const second = run([]) // remembers what it was made with
  await second.up()
  await second.stop('SIGKILL')
  await nobodyLeft(join(dir, 'run'), 15000)
})

test('an existing PostgreSQL fronts the last member’s population: asked by a configured query, gone and back', { skip: !existsSync('/usr/lib/postgresql/15/bin/initdb') && 'PostgreSQL 15 is not here' }, async () => {
  const cluster = join(dir, 'city')
  mkdirSync(cluster)
  const pg = (...words) => spawnSync(join(root, 'tools/pg-cluster'), words, { encoding: 'utf8' })
  const uri = pg('start', cluster).stdout.trim()
  assert.match(uri, /^postgresql:/)
  const r = up('front', ...small(), '--life', '0', '--front', uri)
  try {
    await r.up()
    const listed = JSON.parse(spawnSync(binary, ['register', 'list', '--node', join(dir, 'front/133100'), '--json'], { encoding: 'utf8' }).stdout)
    assert.equal(listed.items.find((i) => i.name === 'population').source, 'sql')
    const row = spawnSync('psql', [uri, '-qAtc', "SELECT id_number || ',' || name FROM resident ORDER BY id_number LIMIT 1"], { encoding: 'utf8' }).stdout.trim().split(',')
    const c = new Client(portal(0))
    c.key = JSON.parse(spawnSync(binary, ['user', 'key', 'front', '--office', 'BJ-DATA', '--node', join(dir, 'front/110000'), '--json'], { encoding: 'utf8' }).stdout).key
    const ask = async () => (await c.post('/exchange/v1/ask', { provider: '133100', register: 'population', operation: 'verify', key: { id_number: row[0] }, claims: { name: row[1] }, purpose: { item: 'identity-check' } })).json
    await until('the fronted register to answer', async () => (await ask()).results?.name === 'match')
    pg('stop', cluster)
    await until('it to say that it cannot tell', async () => { const a = await ask(); if (a.type !== 'urn:tonghui:problem:register-unavailable') throw new Error(JSON.stringify(a)); return true })
    assert.equal((await fetch(`${portal(3)}/readyz`)).status, 200, 'the node itself goes on')
    assert.equal(await r.stop(), 0)
    const again = up('front') // also with its source away
    await again.up()
    assert.equal(await again.stop(), 0)
  } finally {
    pg('stop', cluster)
  }
})

test('./run in a folder of somebody else’s says so', { skip: process.getuid() !== 0 && 'another user needs root' }, async () => {
  const clone = join(dir, 'clone')
  mkdirSync(join(clone, 'build'), { recursive: true })
  cpSync(join(root, 'run'), join(clone, 'run'))
  const foreign = begin('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', join(clone, 'run')], { cwd: '/' })
  assert.equal(await foreign.ended, 1)
  assert.match(foreign.said, /Cannot write .*clone\/build.*chown/)
})
