// walk.mjs: the n-th call fails, or kills, for ever larger n, each time under a whole short story (import, asks, a case started, handed over,
// decided, delivered), until a story passes unharmed. After each: what was acknowledged is there, once; whoever stopped says why; journals are whole.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Fault } from '../lib/fault.mjs'
import { codes, Region, sampleOf, sleep, until } from '../lib/region.mjs'

export const [origin, owner, provider] = ['120000', '130000', '110000']
const every = process.env.TONGHUI_FAULT_EVERY === '1' // each n, however long it takes
const next = (n) => (every ? n + 1 : Math.ceil(n * 2.6))

/* A valid number of a person nobody has: GB 11643, MOD 11-2. */
function idNumber(i) {
  const body = `110101${19500101 + (i % 28)}${String(i % 1000).padStart(3, '0')}`
  const sum = [...body].reduce((s, c, k) => s + Number(c) * [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2][k], 0)
  return body + '10X98765432'[sum % 11]
}

/* `runs`: [what, kinds, outcome, how many milliseconds all later calls fail too, a problem that somebody must be told]. */
export function walks(victim, runs) {
  let r, faults, who, sample, system, told
  let count = 0
  let strangers = 0
  /* Every answer is looked at: whoever fails says so as a problem, in both languages. */
  const heard = (client) => {
    const call = client.call.bind(client)
    client.call = async (...words) => {
      const answer = await call(...words)
      if (answer.status >= 400) {
        told.add(answer.json?.type)
        assert.ok(answer.json?.type && answer.json.title_zh && answer.json.title_en, `${answer.status} ${answer.text}`)
      }
      return answer
    }
    return client
  }
  before(async () => {
    told = new Set()
    r = await Region.make({ config: { gossip_s: 1 } })
    faults = Object.fromEntries(codes.map((c) => [c, new Fault(r.dir, c)]))
    await r.startAll(Object.fromEntries(codes.map((c) => [c, { env: faults[c].env }])))
    sample = await sampleOf(r.client(origin))
    system = heard(r.keyed(origin))
    const signed = async (code, login) => heard(await r.signedIn(code, login))
    who = { citizen: await signed(origin, 'citizen'), operator: await signed(origin, 'operator'), auditor: await signed(origin, 'auditor'), clerk: await signed(owner, 'clerk') }
  })
  after(async () => {
    await r?.close()
    for (const fault of Object.values(faults ?? {})) fault.close()
  })
  const whole = (code) => assert.equal(JSON.parse(r.run('journal', 'check', '--node', r.nodes[code].dir, '--json')).ok, true, `journal of ${code}`)

  /* Whoever is dead was killed by us, or stopped by itself and said why. It is started again, its journal read through first. */
  async function revive(outcome) {
    for (const code of codes.filter((c) => !r.nodes[c].child)) {
      const { ended, log } = r.nodes[code]
      faults[code].disarm()
      if (outcome === 'kill') assert.equal(ended.signal, 'SIGKILL', log)
      else {
        assert.deepEqual(ended, { status: 1, signal: null }, log)
        assert.match(log, /"level":"error"/, 'its last words')
      }
      whole(code)
      await r.start(code, { env: faults[code].env })
    }
  }
  /* Again and again until it is done: the network may be gone for a moment, a node may have to be started. */
  async function persist(outcome, what, act) {
    let last
    // A question or an effect that was under way when its node died is tried again after its deadline, ten seconds later at most.
    for (const end = Date.now() + 60000; Date.now() < end; ) {
      try {
        const done = await act()
        if (done) return done
      } catch (cause) {
        if (cause.code === 'ERR_ASSERTION') throw cause
        last = cause
      }
      if (codes.some((c) => !r.nodes[c].child)) await revive(outcome)
      else await sleep(25)
    }
    throw new Error(`in vain: ${what} ${last?.message ?? ''} ${last?.cause ?? ''} ${[...told]}\n${codes.map((c) => `${c} ${r.nodes[c].log.slice(-1500)}`).join('\n')}`)
  }
  const caseAt = async (client, id) => {
    const answer = await client.get(`/cases/v1/cases/${id}`)
    return answer.status === 200 ? answer.json : null
  }

  async function story(outcome) {
    const id_number = idNumber(++count)
    const name = `甲${count}`
    const csv = `id_number,name,household_region,status\n${id_number},${name},120000,normal\n`
    const done = (what, act) => persist(outcome, what, act)
    await done('import', async () => (await who.operator.post('/records/v1/registers/population:import?format=csv', csv, { 'Content-Type': 'text/csv' })).status === 200)
    const ask = (of, person) => async () => {
      const answer = await system.post('/exchange/v1/ask', { provider: of, register: 'population', operation: 'verify', key: { id_number: person() }, claims: { name }, purpose: { item: 'identity-check' } })
      return answer.status === 200 && answer.json
    }
    const asked = await done('ask at home', ask(origin, () => id_number))
    assert.deepEqual(asked.results, { name: 'match' }, 'the acknowledged import is what is asked')
    const far = await done('ask far', ask(provider, () => idNumber(300 + (strangers++ % 700)))) // another one at each try: guesses about one are stopped
    assert.deepEqual(far.results, { name: 'mismatch' })
    // The same Idempotency-Key at every try: the case is started once, however often it has to be said. Who is told that the answer was lost
    // looks for himself, and says it under a new key when there is none.
    const before_ = new Set(await done('list', () => all(who.citizen, 'mine')))
    const made = async () => (await done('list', () => all(who.citizen, 'mine'))).filter((each) => !before_.has(each))
    let tries = 0
    const id = await done('start', async () => {
      const answer = await who.citizen.post('/cases/v1/cases', { item: 'HE-TALENT-CARD', form: { ...sample, employer: name }, consents: ['degree', 'household'] }, { 'Idempotency-Key': `walk-${victim}-${process.pid}-${count}-${tries}` })
      if (answer.status === 201) return answer.json.id
      if (!answer.json.type.endsWith(':idempotency-unknown')) return null
      tries++
      return (await made())[0]
    })
    assert.deepEqual(await made(), [id], 'once')
    await done('arrival', async () => (await caseAt(who.clerk, id))?.state === 'received')
    const order = ['received', 'accepted', 'decided', 'delivered']
    for (const [action, body, state] of [['accept', {}, 'accepted'], ['decide', { outcome: 'approved' }, 'decided'], ['deliver', {}, 'delivered']])
      await done(action, async () => {
        const seen = await caseAt(who.clerk, id)
        if (!seen) return false
        const at = order.indexOf(seen.state)
        assert.ok(at >= order.indexOf(state) - 1, 'what was acknowledged stays')
        if (at >= order.indexOf(state)) return true // done, though nobody heard
        return (await who.clerk.post(`/cases/v1/cases/${id}:${action}`, body)).status === 200
      })
    await done('the end at the origin', async () => (await caseAt(who.citizen, id))?.state === 'delivered')
    return { id, asks: [asked, far] }
  }

  /* Everything that was acknowledged, once. */
  async function check({ id, asks }) {
    const copies = await Promise.all([who.citizen, who.clerk].map((client) => persist('', 'both copies', () => caseAt(client, id))))
    for (const copy of copies)
      for (const kind of ['submitted', 'received', 'accepted', 'decided', 'delivered']) assert.equal(copy.events.filter((e) => e.kind === kind).length, 1, `${kind} once`)
    assert.equal(copies[0].events.filter((e) => e.kind === 'handed_over').length, 1)
    for (const ask of asks) {
      const kept = await persist('', 'receipts', () => who.auditor.get(`/exchange/v1/receipts/${ask.id}`))
      assert.equal(kept.status, 200, kept.text)
      assert.ok(kept.json.receipts.some((receipt) => receipt.entry === ask.receipt.entry), 'the receipt that was given can be given again')
    }
  }
  async function all(client, view) {
    const found = []
    for (let cursor = ''; cursor !== null; ) {
      const page = await client.get(`/cases/v1/cases?view=${view}&limit=200${cursor ? `&cursor=${cursor}` : ''}`)
      if (page.status !== 200) return null
      found.push(...page.json.items.map((c) => c.id))
      cursor = page.json.next ?? null
    }
    return found
  }

  for (const [what, kinds, outcome, lasting, problem] of runs)
    test(`${victim}: ${what}, at the n-th call, until a story passes unharmed`, { timeout: 300000 }, async (t) => {
      const begun = Date.now()
      let fired = 0
      let calls = 0
      told.clear()
      for (let n = 1; ; n = next(n)) {
        faults[victim].arm(kinds, outcome, n, Boolean(lasting))
        const end = lasting && setTimeout(() => faults[victim].disarm(), lasting)
        const acknowledged = await story(outcome)
        clearTimeout(end)
        const harm = faults[victim].disarm()
        calls = Math.max(calls, harm.count)
        await revive(outcome)
        await check(acknowledged)
        if (!harm.fired) break
        fired++
      }
      t.diagnostic(`${fired} faults among some ${calls} calls a story, ${Date.now() - begun} ms; told: ${[...told]}`)
      assert.ok(fired >= 2, `${fired} faults`)
      if (problem) assert.ok([...told].some((type) => type.endsWith(`:${problem}`)), `nobody was told ${problem}: ${[...told]}`)
    })

  test(`${victim}: after all of it no case is lost or there twice, and every journal is whole`, async () => {
    const [mine, theirs] = await Promise.all([[who.citizen, 'mine'], [who.clerk, 'all']].map(([client, view]) => persist('', view, () => all(client, view))))
    assert.equal(new Set(mine).size, mine.length)
    assert.ok(mine.length >= count)
    for (const id of mine) assert.equal(theirs.filter((each) => each === id).length, 1, id)
    for (const code of codes) {
      await r.stop(code)
      assert.deepEqual(r.nodes[code].ended, { status: 0, signal: null })
      whole(code)
    }
  })
}
