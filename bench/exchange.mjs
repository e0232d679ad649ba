// exchange.mjs: how many verifies a second two nodes do together, beside the bare HTTP library in the same run. See docs/performance.md.
//
// Rounds are interleaved, so that a noisy minute of the machine falls on every case alike; the figure of a case is the median of its rounds.
import { execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, fdatasyncSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { Pair, binary, build, consumer, peopleMake, provider, sleep, started } from './pair.mjs'

const help = `bench/run exchange
  --quick            two thousand people, one short round: does it work at all
  --soak             ten minutes of steady load: memory flat, no stall
  --people N         people in the provider's register (1000000)
  --rounds N         rounds of every case (3)     --seconds S      of every measurement (5)
  --connections N    callers in (a), (b), (c)     --only a,b,c,d,e some cases only
  --reuse            keep the regions made, and use those kept by an earlier run`

function options() {
  const o = { people: 1000000, rounds: 3, seconds: 5, warmup: 2, connections: 1024, batchConnections: 32, soakSeconds: 600 }
  const words = process.argv.slice(2)
  while (words.length) {
    const [name, value] = words.shift().split('=')
    const next = () => value ?? words.shift()
    if (name === '--quick') Object.assign(o, { quick: true, people: 2000, rounds: 1, seconds: 1, warmup: 1, connections: 64, batchConnections: 4 })
    else if (name === '--soak') o.soak = true
    else if (name === '--reuse') o.reuse = true
    else if (name === '--only') o.only = next().split(',')
    else if (['--people', '--rounds', '--seconds', '--connections', '--soak-seconds'].includes(name)) {
      const n = Number(next())
      if (!Number.isInteger(n) || n < 1) throw new Error(`${name} needs a whole number`)
      o[name === '--soak-seconds' ? 'soakSeconds' : name.slice(2)] = n
    } else {
      console.log(help)
      process.exit(name === '--help' ? 0 : 2)
    }
  }
  return o
}

const o = options()
const work = join(build, 'bench-data')
const median = (list) => [...list].sort((x, y) => x - y)[Math.floor(list.length / 2)]
const say = (text) => console.log(text)
const thousands = (n) => Math.round(n).toLocaleString('en-US')
const ms = (us) => (us / 1000).toFixed(us < 10000 ? 2 : 1)

/* The caller: one process of bench/load.c; gives the JSON of its window, `each` that of every stretch. */
function load(port, key, people, extra, each) {
  const words = ['--port', port, '--key', key, '--people', people, '--provider', provider, ...extra].map(String)
  const child = started(spawn(join(build, 'bench/load'), words, { stdio: ['ignore', 'pipe', 'inherit'] }))
  let window
  createInterface({ input: child.stdout }).on('line', (line) => {
    const json = JSON.parse(line)
    if (json.of === 'window') window = json
    else each?.(json)
  })
  return new Promise((done, fail) => child.once('close', (code) => (code || !window ? fail(new Error('the callers failed')) : done(window))))
}

async function bareOpen(answer) {
  const child = started(spawn(join(build, 'bench/bare'), [answer], { stdio: ['pipe', 'pipe', 'inherit'] }))
  const port = await new Promise((done) => child.stdout.once('data', (text) => done(Number(text))))
  return { child, port, pid: child.pid }
}

/* What one durable answer costs at least: the median of appending a page and fdatasync, where the stores lie. */
function fsyncUs() {
  const path = join(work, 'fsync')
  const fd = openSync(path, 'w')
  const page = Buffer.alloc(4096, 1)
  const took = []
  for (let i = 0; i < 400; i++) {
    const from = process.hrtime.bigint()
    writeSync(fd, page)
    fdatasyncSync(fd)
    took.push(Number(process.hrtime.bigint() - from) / 1000)
  }
  closeSync(fd)
  rmSync(path)
  return median(took)
}

const rates = {} // case → verifies a second of every round
const windows = {} // case → windows
function shown(name, title, w) {
  const rate = (w.verifies * 1e6) / w.took_us
  const per = (us) => (us / w.verifies).toFixed(1)
  ;(rates[name] ??= []).push(rate)
  ;(windows[name] ??= []).push(w)
  const cpu = w.processes.map((p) => per(p.cpu_us))
  const memory = w.processes.map((p) => `${Math.round(p.rss_before_kb / 1024)}→${Math.round(p.rss_after_kb / 1024)} (own ${Math.round(p.anon_before_kb / 1024)}→${Math.round(p.anon_after_kb / 1024)})`)
  say(
    `${title.padEnd(44)} ${thousands(rate).padStart(8)} /s  p50 ${ms(w.p50_us)}  p99 ${ms(w.p99_us)}  p99.9 ${ms(w.p999_us)} ms  ` +
      `${Math.round(w.bytes_out / w.verifies)}+${Math.round(w.bytes_in / w.verifies)} B  CPU ${cpu.join('+')}+${per(w.own_cpu_us)} µs  MB ${memory.join(', ')}`,
  )
  if (w.failures) throw new Error(`${w.failures} answers were not what they should be: ${w.first_failure}`)
}

async function pairOf(suite, people) {
  const dir = join(work, `${suite}-${o.people}`)
  if (o.reuse && existsSync(join(dir, 'pair.json'))) return Pair.kept(dir)
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  const pair = await Pair.make(dir, suite, people)
  pair.keep()
  return pair
}

const wanted = (name) => !o.only || o.only.includes(name)
const windowOf = (connections) => ['--connections', connections, '--warmup', o.warmup, '--seconds', o.seconds]

function measure(pair, name, title, extra) {
  const pids = pair.pids()
  return load(pair.nodes[consumer].port, pair.key, people, [...extra, '--watch', pids.join(',')]).then((w) => shown(name, title, w))
}

async function round(pairs, bare) {
  const [ed, sm] = pairs
  if (wanted('a')) shown('a', 'a  bare HTTP, same library, same bytes', await load(bare.port, ed.key, people, [...windowOf(o.connections), '--watch', bare.pid]))
  for (const [pair, suffix] of [[ed, ''], [sm, '-sm2']]) {
    if (wanted('b')) await measure(pair, `b${suffix}`, `b  ask, ${pair.suite}`, windowOf(o.connections))
    if (wanted('e')) await measure(pair, `e${suffix}`, `e  ask:batch of 100, ${pair.suite}`, ['--batch', 100, ...windowOf(o.batchConnections)])
    if (wanted('d')) await measure(pair, `d${suffix}`, `d  one caller, ${pair.suite}`, windowOf(1))
    if (wanted('c')) {
      await pair.stop()
      pair.configure({ batch_lines: 1 })
      await pair.start()
      await measure(pair, `c${suffix}`, `c  ask, no batching, ${pair.suite}`, windowOf(o.connections))
      await pair.stop()
      pair.configure({ batch_lines: 0 })
      await pair.start()
    }
  }
}

async function footprint(pair, ready) {
  await sleep(o.quick ? 500 : 3000)
  const rss = pair.pids().map((pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024)
  say(
    `footprint: ${rss.map((mb) => mb.toFixed(1)).join(' and ')} MB a node at rest; binary ${(statSync(binary).size / 1048576).toFixed(2)} MB; ` +
      `ready ${ready.toFixed(0)} ms after its start`,
  )
}

/* One core, nothing but the region's trust document: the receipts of an answer to a batch of a hundred. */
async function receipts(pairs) {
  const rates = []
  for (const pair of pairs) {
    const answer = join(work, 'batch.json')
    await load(pair.nodes[consumer].port, pair.key, people, ['--batch', 100, '--connections', 2, '--warmup', 0, '--seconds', 1, '--save', answer])
    rates.push(`${thousands(Number(execFileSync(join(build, 'bench/receipts'), [join(pair.dir, 'var/region.json'), answer], { encoding: 'utf8' })))} /s (${pair.suite})`)
  }
  say(`receipts checked on one core: ${rates.join(', ')}`)
}

async function soak(pair) {
  const every = Math.min(60, Math.ceil(o.soakSeconds / 5))
  const stretches = []
  say(`soak: ${o.soakSeconds} s of steady load, a line every ${every} s`)
  const all = await load(
    pair.nodes[consumer].port,
    pair.key,
    people,
    ['--connections', o.connections, '--warmup', 10, '--seconds', o.soakSeconds, '--every', every, '--watch', pair.pids().join(',')],
    (w) => {
      stretches.push(w)
      shown('soak', `   ${stretches.length * every} s`, w)
    },
  )
  shown('soak', 'soak, whole', all)
  const own = stretches.map((w) => w.processes.reduce((sum, p) => sum + p.anon_after_kb, 0))
  const settled = own.slice(Math.floor(own.length / 5))
  const spread = (Math.max(...settled) - Math.min(...settled)) / median(settled)
  say(
    `soak: messages=${all.verifies} p999_over_p50=${(all.p999_us / all.p50_us).toFixed(2)} longest_silence_ms=${ms(all.longest_gap_us)} ` +
      `own_memory_spread=${(100 * spread).toFixed(1)}% store_mb=${[consumer, provider].map((c) => Math.round(pair.storeBytes(c) / 1048576)).join('+')}`,
  )
}

function line() {
  const m = (name) => (rates[name] ? median(rates[name]) : NaN)
  const p99 = windows.d ? median(windows.d.map((w) => w.p99_us)) : NaN
  const f = (x, digits = 2) => (Number.isFinite(x) ? x.toFixed(digits) : 'none')
  return (
    `exchange: verified=${f(m('b'), 0)} ratio_bare=${f(m('b') / m('a'), 3)} ratio_bare_batch=${f(m('e') / m('a'), 3)} ` +
    `ratio_unbatched=${f(m('b-sm2') / m('c-sm2'), 1)} sm2_over_ed25519=${f(m('b-sm2') / m('b'), 3)} p99_idle_over_fsync=${f(p99 / fsync, 1)}`
  )
}

/* A machine shared with others gives a case more or less of its two cores; what a verify costs in processor time stays. */
function processor() {
  const spent = (name) => (windows[name] ? median(windows[name].map((w) => (w.own_cpu_us + w.processes.reduce((sum, p) => sum + p.cpu_us, 0)) / w.verifies)) : NaN)
  const busy = (name) => median(windows[name].map((w) => (w.own_cpu_us + w.processes.reduce((sum, p) => sum + p.cpu_us, 0)) / w.took_us))
  const names = Object.keys(windows)
  const ratio = (x, y) => (Number.isFinite(spent(x) / spent(y)) ? (spent(x) / spent(y)).toFixed(3) : 'none')
  say(`cores kept busy: ${names.map((name) => `${name} ${busy(name).toFixed(2)}`).join(', ')}`)
  say(
    `by processor time: a=${spent('a').toFixed(1)} b=${spent('b').toFixed(1)} e=${spent('e').toFixed(1)} µs; bare_over_b=${ratio('a', 'b')} ` +
      `bare_over_e=${ratio('a', 'e')} unbatched_over_b_sm2=${ratio('c-sm2', 'b-sm2')} ed25519_over_sm2=${ratio('b', 'b-sm2')}`,
  )
}

mkdirSync(work, { recursive: true })
const peopleDir = join(work, `people-${o.people}`)
const people = o.reuse && existsSync(join(peopleDir, 'population.jsonl')) ? join(peopleDir, 'population.jsonl') : peopleMake(peopleDir, o.people)
const fsync = fsyncUs()
const suites = o.soak ? ['sm2-sm3'] : ['ed25519-sha256', 'sm2-sm3']
const pairs = []
for (const suite of suites) pairs.push(await pairOf(suite, people))
say(`${thousands(o.people)} people in the provider's register, imported in ${pairs.map((p) => (p.importMs / 1000).toFixed(1)).join(' and ')} s; fdatasync of a page ${fsync.toFixed(0)} µs`)
let ready
for (const pair of pairs) ready = await pair.start()
await footprint(pairs[0], ready)

if (o.soak) {
  await soak(pairs[0])
} else {
  const answer = join(work, 'answer.json')
  await load(pairs[0].nodes[consumer].port, pairs[0].key, people, ['--connections', o.connections, '--warmup', 1, '--seconds', 1, '--save', answer])
  const bare = await bareOpen(answer)
  say('per verify: bytes out + in at the caller; processor time of consumer + provider + callers (or of the bare server + callers)')
  for (let i = 0; i < o.rounds; i++) await round(pairs, bare)
  bare.child.stdin.end()
  await receipts(pairs)
}
for (const pair of pairs) await pair.stop()
if (!o.reuse) rmSync(work, { recursive: true, force: true })
if (!o.soak) {
  processor()
  say(line())
  if (o.quick) {
    const whole = !/none|NaN/.test(line())
    say(whole ? '1 passed, 0 failed' : '0 passed, 1 failed')
  }
}
