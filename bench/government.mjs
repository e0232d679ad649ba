// government.mjs: the first service in figures, each beside its peer in the same run: verify over HTTP beside the bare library, certificates
// beside npm's, lives of cases committed together beside one commit a change, and cases on their way while nodes are killed. See
// docs/performance.md.
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { binary, build, peopleMake, root, sleep, started } from './pair.mjs'
process.env.TONGHUI_BINARY = binary
const { Region } = await import('../tests/lib/region.mjs')

const help = `bench/run government
  --quick            small numbers, one short round: does it work at all
  --people N         people in the register that is verified (200000)
  --cases N          cases from Tianjin to Hebei under kill -9; unless said, as many as begin in --kill-seconds
  --kill-seconds S   (60)      --kill-every S   (2)
  --open N           open cases in the work-list (1000000)      --recount N   open cases counted again from the store (20000)
  --rounds N         of what is compared (3)                    --seconds S   of every measurement (5)
  --only lives,replay,recount,clocks,certificates,verify,kill,worklist`

function options() {
  const o = { people: 200000, rounds: 3, seconds: 5, open: 1000000, recount: 20000, killSeconds: 60, killEvery: 2, callers: 500, connections: 256 }
  const numbers = { '--people': 'people', '--rounds': 'rounds', '--seconds': 'seconds', '--open': 'open', '--recount': 'recount', '--cases': 'cases', '--kill-seconds': 'killSeconds', '--kill-every': 'killEvery' }
  const words = process.argv.slice(2)
  while (words.length) {
    const [name, value] = words.shift().split('=')
    const next = () => value ?? words.shift()
    if (name === '--quick') Object.assign(o, { quick: true, people: 2000, rounds: 1, seconds: 1, open: 20000, recount: 1000, killSeconds: 10, callers: 200, connections: 128 })
    else if (name === '--only') o.only = next().split(',')
    else if (numbers[name]) {
      const n = Number(next())
      if (!Number.isInteger(n) || n < 1) throw new Error(`${name} needs a whole number`)
      o[numbers[name]] = n
    } else {
      console.log(help)
      process.exit(name === '--help' ? 0 : 2)
    }
  }
  return o
}

const o = options()
const wanted = (name) => !o.only || o.only.includes(name)
const work = join(build, 'bench-government')
const median = (list) => [...list].sort((x, y) => x - y)[Math.floor(list.length / 2)]
const say = (text) => console.log(text)
const thousands = (n) => Math.round(n).toLocaleString('en-US')
const told = { verify: NaN, sdjwt_verify: NaN, sdjwt_issue: NaN, cases: NaN, lost: NaN, doubled: NaN }
const kernel = (...words) => execFileSync(join(build, 'bench/government'), words.map(String), { encoding: 'utf8', maxBuffer: 1 << 30 })
const kernelJson = (...words) => JSON.parse(kernel(...words))
const fresh = (name) => {
  const dir = join(work, name)
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  return dir
}

/* ---- the kernel alone ---- */

function lives() {
  const rates = { together: [], alone: [] }
  let last
  for (let i = 0; i < o.rounds; i++) {
    for (const [name, callers, batch] of [['together', o.callers, 1000], ['alone', o.callers, 1]]) {
      const l = kernelJson('lives', fresh(name), o.seconds, callers, batch)
      if (l.not_six_events) throw new Error(`${l.not_six_events} cases have not six events`)
      rates[name].push(l.lives_per_second)
      last = { ...last, [name]: l }
      say(`lives, ${name === 'together' ? 'committed together' : 'one commit a change'}: ${thousands(l.lives_per_second)} /s (${thousands(l.steps)} changes, largest batch ${l.largest_batch}, ${l.cpu_us_per_life} µs of CPU a life)`)
    }
  }
  told.cases = median(rates.together) / median(rates.alone)
  say(`a life is six durable events in four changes; ${o.callers} callers at once; together over alone ${told.cases.toFixed(1)}`)
}

function replay() {
  const dir = join(work, 'together')
  if (o.only && !wanted('lives')) kernelJson('lives', fresh('together'), 1, o.callers, 1000)
  const r = kernelJson('replay', dir, o.seconds)
  say(`events folded again, hash chain and all: ${thousands(r.store_per_second)} /s from the store (${thousands(r.events)} events), ${thousands(r.memory_per_cpu_second)} a CPU second from memory`)
}

function recount() {
  const r = kernelJson('recount', fresh('recount'), o.recount)
  if (r.recounted !== r.cases) throw new Error(`${r.recounted} of ${r.cases} cases were counted again`)
  say(`another calendar, ${thousands(r.cases)} open cases in the store: looked through in ${r.looked_s} s where no day moves (${thousands(r.cases / r.looked_s)} /s), counted again with an event each in ${r.moved_s} s (${thousands(r.cases / r.moved_s)} /s)`)
}

function clocks() {
  const line = execFileSync(join(build, 'bench/parts'), ['clocks'], { encoding: 'utf8' }).split('\n').find((l) => l.startsWith('clocks:'))
  say(`deadlines, in memory: ${line.slice(8)}`)
}

function certificates() {
  const line = execFileSync(process.execPath, [join(root, 'bench/certificates.mjs'), ...(o.quick ? ['--quick'] : [])], { encoding: 'utf8' }).trim().split('\n').at(-1)
  const of = (name) => Number(new RegExp(` ${name}=([0-9.]+)`).exec(line)[1])
  told.sdjwt_verify = of('sdjwt_verify_ratio')
  told.sdjwt_issue = of('sdjwt_issue_ratio')
  say(line)
}

/* ---- real nodes ---- */

const [there, here] = ['120000', '130000']
let region
process.on('exit', () => Object.values(region?.nodes ?? {}).forEach((n) => n.child?.kill('SIGKILL')))
const urlOf = (code) => `sqlite:${join(region.nodes[code].dir, 'store.sqlite')}`

function load(port, key, people, extra) {
  const words = ['--port', port, '--key', key, '--people', people, '--provider', here, ...extra].map(String)
  const child = started(spawn(join(build, 'bench/load'), words, { stdio: ['ignore', 'pipe', 'inherit'] }))
  let window
  createInterface({ input: child.stdout }).on('line', (line) => (window = JSON.parse(line)))
  return new Promise((done, fail) => child.once('close', (code) => (code || !window || window.failures ? fail(new Error(`the callers failed: ${window?.first_failure}`)) : done(window))))
}

async function verify() {
  const people = peopleMake(fresh('people'), o.people, here)
  const node = region.nodes[here]
  const begun = Date.now()
  region.run('register', 'import', 'population', people, '--node', node.dir)
  say(`${thousands(o.people)} people imported in ${((Date.now() - begun) / 1000).toFixed(1)} s`)
  const key = region.run('user', 'key', 'bench', '--office', 'HE-HRSS', '--node', node.dir).trim()
  await region.start(here)
  const answer = join(work, 'answer.json')
  await load(node.port, key, people, ['--connections', 4, '--warmup', 1, '--seconds', 1, '--save', answer])
  const bare = started(spawn(join(build, 'bench/bare'), [answer], { stdio: ['pipe', 'pipe', 'inherit'] }))
  const port = await new Promise((done) => bare.stdout.once('data', (text) => done(Number(text))))
  const rates = { bare: [], verify: [] }
  const window = ['--connections', o.connections, '--warmup', 1, '--seconds', o.seconds]
  for (let i = 0; i < o.rounds; i++) {
    for (const [name, to] of [['bare', port], ['verify', node.port]]) {
      const w = await load(to, key, people, window)
      rates[name].push((w.answers * 1e6) / w.took_us)
    }
  }
  bare.stdin.end()
  await region.stop(here)
  told.verify = median(rates.verify) / median(rates.bare)
  say(`verify at one's own node over HTTP, journaled and signed: ${thousands(median(rates.verify))} /s; the same library, same bytes, an empty handler: ${thousands(median(rates.bare))} /s; ratio ${told.verify.toFixed(3)}`)
}

/* One caller at Tianjin's counter: each case has a name of its own, and is asked for until it is acknowledged. What a kill left unanswered is asked
 * again with the same Idempotency-Key; where the node says that it cannot know (it died in between), the case counts as asked, not as acknowledged. */
async function counter(state) {
  while (!state.over && (!o.cases || state.next < o.cases)) {
    const name = `c${state.next++}`
    for (;;) {
      const client = state.client
      try {
        const answer = await client.post('/cases/v1/cases', { item: 'HE-NO-CRIME', form: { phone: '13800000000' }, consents: [], applicant: { id_number: '110101199003070011', name } }, { 'Idempotency-Key': name })
        if (answer.status === 201) {
          state.acknowledged.add(name)
          break
        }
        if (/idempotency-unknown/.test(answer.json?.type)) break
        if (answer.status < 500 && answer.status !== 409 && answer.status !== 429) throw Object.assign(new Error(`a case was refused: ${answer.text}`), { final: true })
      } catch (cause) {
        if (cause.final) throw cause // else the node is away
      }
      await sleep(20)
    }
  }
}

async function kills(state) {
  const turns = [[there], [here], [there, here]]
  while (!state.over) {
    await sleep(o.killEvery * 1000)
    if (state.over) break
    const turn = turns[state.kills++ % turns.length]
    await Promise.all(turn.map((code) => region.stop(code, 'SIGKILL')))
    await Promise.all(turn.map((code) => region.start(code)))
  }
}

async function kill() {
  const state = { next: 0, acknowledged: new Set(), kills: 0, over: false }
  await region.start(there)
  await region.start(here)
  state.client = await region.signedIn(there, 'clerk') // sessions outlive the process
  const from = Date.now()
  const killing = kills(state)
  const callers = Promise.all(Array.from({ length: 24 }, () => counter(state)))
  if (!o.cases) setTimeout(() => (state.over = true), o.killSeconds * 1000)
  await callers
  const asked = (Date.now() - from) / 1000
  state.over = true
  await killing
  let waiting, still = 0
  for (let before = Infinity; (waiting = Number(kernel('waiting', urlOf(there)))) > 0 && still < 60; before = waiting) {
    still = waiting < before ? 0 : still + 1
    await sleep(1000)
  }
  await region.stop(there)
  await region.stop(here)
  const rows = (code) => kernel('told', urlOf(code)).trim().split('\n').map((l) => l.split(' '))
  const begun = rows(there).filter((r) => r[0] !== 'received').map((r) => r[0])
  const arrived = rows(here)
  const times = new Map()
  for (const [name] of arrived.filter((r) => r[0] !== 'received')) times.set(name, (times.get(name) ?? 0) + 1)
  const must = new Set([...state.acknowledged, ...begun])
  told.lost = [...must].filter((name) => !times.has(name)).length
  told.doubled = [...times.values()].filter((n) => n > 1).length + arrived.filter((r) => r[0] === 'received').length + (begun.length - new Set(begun).size)
  say(
    `Tianjin to Hebei under kill -9 every ${o.killEvery} s: ${thousands(state.acknowledged.size)} cases acknowledged of ${thousands(state.next)} asked for in ${asked.toFixed(0)} s, ${thousands(begun.length)} begun, ` +
      `${state.kills} kills of one node or both; ${thousands(times.size)} arrived, ${told.lost} lost, ${told.doubled} doubled`,
  )
}

async function worklist() {
  const node = region.nodes[here]
  await region.start(here) // its open cases are counted by its calendar
  await sleep(2500)
  await region.stop(here)
  const { cases } = kernelJson('fill', urlOf(here), here, o.open)
  await region.start(here)
  const clerk = await region.signedIn(here, 'clerk')
  const took = { first: [], later: [] }
  for (let i = 0; i < (o.quick ? 40 : 200); i++) {
    let path = '/cases/v1/cases?view=worklist&limit=50'
    for (const kind of ['first', 'later', 'later']) {
      const at = process.hrtime.bigint()
      const answer = await clerk.get(path)
      took[kind].push(Number(process.hrtime.bigint() - at) / 1e6)
      if (answer.status !== 200 || answer.json.items.length !== 50) throw new Error(`the work-list: ${answer.text.slice(0, 200)}`)
      path = `/cases/v1/cases?view=worklist&limit=50&cursor=${encodeURIComponent(answer.json.next)}`
    }
  }
  await region.stop(here)
  const of = (list) => `median ${median(list).toFixed(2)} ms, p99 ${[...list].sort((x, y) => x - y)[Math.floor(list.length * 0.99)].toFixed(2)} ms`
  say(`work-list of ${thousands(cases)} open cases over HTTP, fifty a page: first page ${of(took.first)}; the next ones ${of(took.later)}`)
}

rmSync(work, { recursive: true, force: true })
mkdirSync(work, { recursive: true })
if (wanted('lives')) lives()
if (wanted('replay')) replay()
if (wanted('recount')) recount()
if (wanted('clocks')) clocks()
if (wanted('certificates')) certificates()
const nodes = { verify, kill, worklist }
if (Object.keys(nodes).some(wanted)) region = await Region.make({ people: 200 })
for (const [name, run] of Object.entries(nodes)) if (wanted(name)) await run()
await region?.close()
rmSync(work, { recursive: true, force: true })
const f = (x, digits) => (Number.isFinite(x) ? x.toFixed(digits) : 'none')
const line = `government: verify_ratio=${f(told.verify, 3)} sdjwt_verify_ratio=${f(told.sdjwt_verify, 2)} sdjwt_issue_ratio=${f(told.sdjwt_issue, 2)} cases_ratio=${f(told.cases, 1)} lost=${f(told.lost, 0)} doubled=${f(told.doubled, 0)}`
say(line)
if (o.quick && !o.only) say(!line.includes('none') && told.lost === 0 && told.doubled === 0 ? '1 passed, 0 failed' : '0 passed, 1 failed')
