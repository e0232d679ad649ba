// pair.mjs: two real nodes for a benchmark: a consumer and a provider, each a process with its own store, over mutual TLS.
import { execFileSync, spawn } from 'node:child_process'
import { closeSync, cpSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../', import.meta.url))
export const build = process.env.TONGHUI_BENCH_BUILD ?? join(root, 'build-bench')
export const binary = join(build, 'src/node/tonghui')
export const consumer = '130000'
export const provider = '110000'
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms))

/* Every process started here ends with this one. */
const children = new Set()
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))
export function started(child) {
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

const free = (port) =>
  new Promise((done) => {
    const s = createServer()
    s.once('error', () => done(false))
    s.listen(port, '127.0.0.1', () => s.close(() => done(true)))
  })

async function freeBase() {
  for (let tries = 0; tries < 200; tries++) {
    const base = 20000 + 60 * Math.floor(Math.random() * 500)
    if ((await Promise.all([10, 11, 20, 21].map((n) => free(base + n)))).every(Boolean)) return base
  }
  throw new Error('no free ports')
}

const get = (url) =>
  new Promise((done) => {
    const request = http.get(url, { agent: false }, (response) => {
      const pieces = []
      response.on('data', (piece) => pieces.push(piece))
      response.on('end', () => done({ status: response.statusCode, text: Buffer.concat(pieces).toString() }))
    })
    request.on('error', () => done({ status: 0, text: '' }))
  })

export function peopleMake(dir, people, code = provider) {
  const homes = JSON.parse(readFileSync(join(root, 'region/jingjinji/generator.json'), 'utf8')).homes.length
  mkdirSync(dir, { recursive: true })
  execFileSync(binary, ['generate', dir, '--code', code, '--region', join(root, 'region/jingjinji'), '--people', String(people * homes)], { stdio: 'ignore' })
  for (const name of readdirSync(dir)) if (name !== 'population.jsonl') rmSync(join(dir, name))
  return join(dir, 'population.jsonl')
}

export class Pair {
  /* A region of two members, made by the product's own commands; `importing` gets the milliseconds of the register's import. */
  static async make(dir, suite, people) {
    const p = new Pair()
    p.dir = dir
    p.suite = suite
    const region = join(dir, 'region')
    cpSync(join(root, 'region/jingjinji'), region, { recursive: true })
    const file = join(region, 'region.json')
    const json = JSON.parse(readFileSync(file, 'utf8'))
    json.members = json.members.filter((m) => m.code === consumer || m.code === provider)
    json.members.forEach((m) => (m.suite = suite))
    json.threshold = 2
    writeFileSync(file, JSON.stringify(json))
    const base = await freeBase()
    execFileSync(binary, ['up', '--make-only', '--region', region, '--dir', join(dir, 'var'), '--people', '400', '--life', '0', '--port-base', String(base)], { stdio: 'ignore' })
    p.nodes = {}
    json.members.forEach((m, i) => (p.nodes[m.code] = { code: m.code, dir: join(dir, 'var', m.code), port: base + 10 * (i + 1) }))
    const before = Date.now()
    execFileSync(binary, ['register', 'import', 'population', people, '--node', p.nodes[provider].dir], { stdio: ['ignore', 'ignore', 'inherit'] })
    p.importMs = Date.now() - before
    p.key = execFileSync(binary, ['user', 'key', 'bench', '--office', 'HE-HRSS', '--node', p.nodes[consumer].dir], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    return p
  }
  static kept(dir) {
    return Object.assign(new Pair(), JSON.parse(readFileSync(join(dir, 'pair.json'), 'utf8')))
  }
  keep() {
    const { dir, suite, nodes, importMs, key } = this
    writeFileSync(join(dir, 'pair.json'), JSON.stringify({ dir, suite, importMs, key, nodes: Object.fromEntries(Object.entries(nodes).map(([c, { code, dir: d, port }]) => [c, { code, dir: d, port }])) }))
  }
  configure(change) {
    for (const node of Object.values(this.nodes)) {
      const file = join(node.dir, 'node.json')
      writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...change }))
    }
  }
  /* Milliseconds from spawning to a 200 of /readyz. */
  async startNode(code) {
    const node = this.nodes[code]
    const log = openSync(join(node.dir, 'log.jsonl'), 'a')
    const from = process.hrtime.bigint()
    node.child = started(spawn(binary, ['serve', '--node', node.dir], { stdio: ['ignore', 'ignore', log] }))
    closeSync(log)
    while ((await get(`http://127.0.0.1:${node.port}/readyz`)).status !== 200) {
      if (node.child.exitCode !== null) throw new Error(`${code} ended at its start; see ${node.dir}/log.jsonl`)
      await sleep(1)
    }
    return Number(process.hrtime.bigint() - from) / 1e6
  }
  async start() {
    const ready = await this.startNode(provider)
    await this.startNode(consumer)
    const known = `http://127.0.0.1:${this.nodes[consumer].port}/exchange/v1/grants?provider=${provider}`
    for (let tries = 0; !(await get(known)).text.includes('identity-check'); tries++) {
      if (tries > 600) throw new Error('the provider’s grants did not become known')
      await sleep(50)
    }
    return ready
  }
  async stop() {
    for (const node of Object.values(this.nodes)) {
      if (!node.child) continue
      const gone = new Promise((done) => node.child.once('exit', done))
      node.child.kill('SIGTERM')
      await gone
      node.child = null
    }
  }
  pids() {
    return [this.nodes[consumer].child.pid, this.nodes[provider].child.pid]
  }
  storeBytes(code) {
    return statSync(join(this.nodes[code].dir, 'store.sqlite')).size
  }
}
