// region.mjs: a real region for tests: its own directory, ports and store, one process a node, real TLS between them.
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Proxy } from './proxy.mjs'

export const root = fileURLToPath(new URL('../../', import.meta.url))
export const binary = process.env.TONGHUI_BINARY ?? join(root, 'build-test/src/node/tonghui')
export const codes = ['110000', '120000', '130000', '133100']
export const password = 'tonghui-demo'
/* What makes a process believe in another time: libfaketime itself, for the `faketime` command leaves a process between. */
export const faketime = (off) => ({ FAKETIME: off, LD_PRELOAD: `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketimeMT.so.1` })
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms))

const free = (port) =>
  new Promise((done) => {
    const s = createServer()
    s.once('error', () => done(false))
    s.listen(port, '127.0.0.1', () => s.close(() => done(true)))
  })

/* Sixty ports of our own: a folder of their name is the claim, so that two test files never take the same. Below 32768, where the
 * kernel takes no ports for outgoing connections. */
function claimed(claim) {
  try {
    if (existsSync(claim) && !existsSync(`/proc/${readFileSync(join(claim, 'pid'), 'utf8')}`)) rmSync(claim, { recursive: true })
    mkdirSync(claim)
    writeFileSync(join(claim, 'pid'), String(process.pid))
    return true
  } catch {
    return false
  }
}
export async function freeBase() {
  for (let tries = 0; tries < 200; tries++) {
    const base = 12000 + 60 * Math.floor(Math.random() * 340)
    const claim = join(tmpdir(), `tonghui-ports-${base}`)
    if (!claimed(claim)) continue
    const all = await Promise.all([10, 11, 12, 20, 21, 22, 30, 31, 32, 40, 41, 42].map((n) => free(base + n)))
    if (all.every(Boolean)) return { base, claim }
    rmSync(claim, { recursive: true })
  }
  throw new Error('no free ports')
}

/* Wait until `look` gives something true; says what it waited for when it never does. Nodes built with sanitizers take longer for everything. */
export const patience = Number(process.env.TONGHUI_TEST_PATIENCE ?? 1)
export async function until(what, look, ms = 30000) {
  const end = Date.now() + ms * patience
  let last
  while (Date.now() < end) {
    try {
      const found = await look()
      if (found) return found
    } catch (cause) {
      last = cause
    }
    await sleep(60)
  }
  throw new Error(`waited in vain for ${what}${last ? `: ${last.message}` : ''}`)
}

export class Client {
  constructor(base) {
    this.base = base
    this.cookie = ''
    this.csrf = ''
  }
  async call(method, path, body, headers = {}) {
    const init = { method, headers: { Accept: 'application/json', ...headers } }
    if (this.cookie) init.headers.Cookie = this.cookie
    if (this.csrf && method !== 'GET') init.headers['X-CSRF-Token'] = this.csrf
    if (this.key) init.headers.Authorization = `Bearer ${this.key}`
    if (body !== undefined) {
      init.body = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
      init.headers['Content-Type'] ??= 'application/json'
    }
    const response = await fetch(this.base + path, init)
    const set = response.headers.get('set-cookie')
    if (set) this.cookie = set.split(';')[0]
    const text = await response.text()
    let json = null
    try {
      json = JSON.parse(text)
    } catch {
      // not every answer is JSON
    }
    return { status: response.status, json, text, headers: response.headers }
  }
  get(path, headers) {
    return this.call('GET', path, undefined, headers)
  }
  post(path, body = {}, headers) {
    return this.call('POST', path, body, headers)
  }
  async signIn(login, pass = password, totp) {
    const answer = await this.post('/people/v1/session', { login, password: pass, ...(totp ? { totp } : {}) })
    if (answer.status === 200) this.csrf = answer.json.csrf
    return answer
  }
}

export class Region {
  /* `proxied`: every node is reached through a proxy of ours (r.proxies[code]); `aside`: these codes listen elsewhere than the trust
   * document says, so that the test may take their place; `config`: what is changed in node.json of every node. */
  static async make({ people = 200, suites = {}, life = 0, env = {}, proxied = false, aside = [], config = {}, edit } = {}) {
    const r = new Region()
    r.dir = mkdtempSync(join(tmpdir(), 'tonghui-test-'))
    r.env = env
    r.regionDir = join(r.dir, 'region')
    cpSync(join(root, 'region/jingjinji'), r.regionDir, { recursive: true })
    edit?.(r.regionDir)
    const file = join(r.regionDir, 'region.json')
    const region = JSON.parse(readFileSync(file, 'utf8'))
    for (const member of region.members) if (suites[member.code]) member.suite = suites[member.code]
    writeFileSync(file, JSON.stringify(region))
    Object.assign(r, await freeBase())
    r.var = join(r.dir, 'var')
    const store = r.#store()
    const console_ = join(root, 'web/dist')
    const words = ['up', '--make-only', '--region', r.regionDir, '--dir', r.var, '--people', String(people), '--port-base', String(r.base), '--life', String(life)]
    if (store) words.push('--store', store)
    if (existsSync(join(console_, 'index.html'))) words.push('--console', console_)
    execFileSync(binary, words, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } })
    r.nodes = {}
    codes.forEach((code, i) => {
      const port = r.base + 10 * (i + 1)
      const moved = proxied || aside.includes(code)
      r.nodes[code] = { code, dir: join(r.var, code), portal: `http://127.0.0.1:${port}`, port, peerPort: port + 1, realPort: port + (moved ? 2 : 1), child: null, log: '' }
      r.configure(code, (c) => {
        c.peers.port = port + (moved ? 2 : 1)
        Object.assign(c, config)
      })
    })
    r.proxies = {}
    r.mounts = []
    if (proxied)
      for (const code of codes) {
        r.proxies[code] = new Proxy(r.nodes[code].peerPort, r.nodes[code].realPort, () => Object.values(r.nodes))
        await r.proxies[code].open()
      }
    r.trustFile = join(r.var, 'region.json')
    return r
  }
  configure(code, change) {
    const file = join(this.nodes[code].dir, 'node.json')
    const json = JSON.parse(readFileSync(file, 'utf8'))
    change(json)
    writeFileSync(file, JSON.stringify(json))
  }
  #store() {
    if (process.env.TONGHUI_TEST_STORE !== 'postgresql') return null
    const uri = process.env.TONGHUI_TEST_PG
    this.databases = []
    const prefix = `t${process.pid}_${Math.floor(Math.random() * 1e6)}`
    for (const code of codes) {
      const name = `${prefix}_${code}`
      execFileSync('psql', [uri, '-qc', `CREATE DATABASE ${name}`])
      this.databases.push(name)
    }
    return uri.replace('/postgres?', `/${prefix}_{code}?`)
  }
  trust() {
    return JSON.parse(readFileSync(this.trustFile, 'utf8'))
  }
  /* The next trust document: `change` edits the signed part, governors of `by` sign it. Gives its file. */
  trustWrite(change = () => {}, by = codes.slice(0, 3), name = 'next') {
    const { signed } = this.trust()
    signed.version++
    change(signed)
    const file = join(this.dir, `${name}.json`)
    writeFileSync(file, JSON.stringify({ signed, signatures: [] }))
    for (const code of by) this.run('region', 'sign', file, '--node', this.nodes[code].dir)
    return file
  }
  trustApply(file, to = codes) {
    for (const code of to) this.run('region', 'apply', file, '--node', this.nodes[code].dir)
  }
  /* Written, signed, in force at every node: what `trust()` is from here on. */
  async trustChange(change, by) {
    const file = this.trustWrite(change, by)
    this.trustApply(file)
    cpSync(file, this.trustFile)
    const { version } = this.trust().signed
    for (const code of codes)
      if (this.nodes[code].child)
        await until(`${code} to have the trust document ${version}`, async () => (await this.client(code).get('/exchange/v1/region')).json.version === version)
  }
  client(code) {
    return new Client(this.nodes[code].portal)
  }
  async signedIn(code, login) {
    const c = this.client(code)
    const answer = await c.signIn(login)
    if (answer.status !== 200) throw new Error(`sign-in as ${login} at ${code}: ${answer.text}`)
    return c
  }
  keyed(code, name = 'test') {
    const c = this.client(code)
    c.key = this.run('user', 'key', name, '--office', 'TEST', '--node', this.nodes[code].dir).trim()
    return c
  }
  run(...words) {
    return execFileSync(binary, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...this.env } })
  }
  /* `wrap`: words before the command (faketime, prlimit …); `env`: for this start alone. */
  async start(code, { wrap = [], env = {}, ready = true } = {}) {
    const node = this.nodes[code]
    const words = [...wrap, binary, 'serve', '--node', node.dir]
    node.log = ''
    node.child = spawn(words[0], words.slice(1), { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...this.env, ...env } })
    node.child.stderr.on('data', (bytes) => (node.log = (node.log + bytes).slice(-20000)))
    const child = node.child
    child.once('exit', (status, signal) => {
      node.ended = { status, signal }
      if (node.child === child) node.child = null
    })
    if (!ready) return
    await until(`${code} to be ready`, async () => {
      if (!node.child) throw new Error(node.log)
      return (await fetch(`${node.portal}/readyz`)).status === 200
    })
  }
  /* `each`: what `start` is told besides, by code. */
  async startAll(each = {}) {
    await Promise.all(codes.map((code) => this.start(code, each[code])))
    await until('all grants to be known everywhere', async () => {
      for (const code of codes)
        for (const provider of codes) {
          const known = await fetch(`${this.nodes[code].portal}/exchange/v1/grants?provider=${provider}`)
          if (known.status !== 200 || !(await known.json()).items.length) return false
        }
      return true
    })
  }
  async stop(code, signal = 'SIGTERM') {
    const child = this.nodes[code].child
    if (!child) return
    const gone = new Promise((done) => child.once('exit', done))
    child.kill(signal)
    await gone
  }
  async close() {
    await Promise.all(codes.map((code) => this.stop(code)))
    for (const proxy of Object.values(this.proxies)) await proxy.close()
    rmSync(this.claim, { recursive: true, force: true })
    for (const dir of this.mounts) execFileSync('umount', [dir])
    rmSync(this.dir, { recursive: true, force: true })
    for (const name of this.databases ?? []) execFileSync('psql', [process.env.TONGHUI_TEST_PG, '-qc', `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`])
  }
}

/* The demonstration's citizen and what her certificate says. */
export async function sampleOf(client) {
  const node = await client.get('/operations/v1/node')
  return node.json.logins.find((each) => each.role === 'citizen').sample
}
export async function startCase(client, item = 'HE-TALENT-CARD') {
  const sample = await sampleOf(client)
  return client.post('/cases/v1/cases', { item, form: sample, consents: ['degree', 'household'] })
}
