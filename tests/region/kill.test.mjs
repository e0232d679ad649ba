// kill -9 of every node, at any moment of a case: what was acknowledged stays, the case arrives once, the journals stay whole.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { codes, Region, sampleOf, sleep, until } from '../lib/region.mjs'

let r
before(async () => {
  r = await Region.make()
  await r.startAll()
})
after(() => r?.close())

const revive = async () => {
  for (const code of codes) if (!r.nodes[code].child) await r.start(code)
}

test('all four nodes are killed again and again while cases are on their way; every acknowledged case arrives exactly once', { timeout: 240000 }, async () => {
  const sample = await sampleOf(r.client('120000'))
  const ids = []
  const rounds = Number(process.env.TONGHUI_KILL_ROUNDS ?? 12)
  for (let round = 0; round < rounds; round++) {
    const citizen = await r.signedIn('120000', 'citizen')
    const started = await citizen.post('/cases/v1/cases', { item: 'HE-TALENT-CARD', form: { ...sample, employer: `round ${round}` }, consents: ['degree', 'household'] })
    if (started.status === 201) ids.push(started.json.id)
    await sleep(Math.floor(Math.random() * 60))
    await Promise.all(codes.filter(() => Math.random() < 0.6).map((code) => r.stop(code, 'SIGKILL')))
    await revive()
  }
  assert.ok(ids.length >= rounds / 2)
  const [citizen, clerk] = [await r.signedIn('120000', 'citizen'), await r.signedIn('130000', 'clerk')]
  for (const id of ids) {
    const c = await until(`case ${id} to arrive`, async () => {
      const there = await clerk.get(`/cases/v1/cases/${id}`)
      return there.status === 200 && there.json.state === 'received' && there.json
    }, 60000)
    assert.equal(c.events.filter((e) => e.kind === 'received').length, 1)
    assert.equal(c.events.filter((e) => e.kind === 'submitted').length, 1)
    const here = (await citizen.get(`/cases/v1/cases/${id}`)).json
    assert.equal(here.events.filter((e) => e.kind === 'handed_over').length, 1)
  }
  const list = await clerk.get('/cases/v1/cases?view=worklist&limit=200')
  const mine = list.json.items.filter((c) => ids.includes(c.id))
  assert.equal(new Set(mine.map((c) => c.id)).size, ids.length)
  // A decision and its way back, with the deciding node killed straight after the acknowledgement.
  const acted = await clerk.post(`/cases/v1/cases/${ids[0]}:accept`)
  assert.equal(acted.status, 200, acted.text)
  await r.stop('130000', 'SIGKILL')
  await r.stop('120000', 'SIGKILL')
  await revive()
  const back = await r.signedIn('120000', 'citizen')
  await until('the acceptance in Tianjin', async () => (await back.get(`/cases/v1/cases/${ids[0]}`)).json.state === 'accepted', 60000)
})

test('after it all every journal is whole: each entry, each subtree, each signed head', async () => {
  for (const code of codes) await r.stop(code)
  for (const code of codes) {
    const told = JSON.parse(r.run('journal', 'check', '--node', r.nodes[code].dir, '--json'))
    assert.equal(told.ok, true)
    assert.ok(told.entries > 0)
  }
  await r.startAll()
})

test('a backup, a restore, and a log that never looks like a fork', async () => {
  const { dir } = r.nodes['133100']
  const { join } = await import('node:path')
  const { rmSync } = await import('node:fs')
  const head = async () => (await (await r.signedIn('133100', 'auditor')).get('/exchange/v1/journal?limit=1')).json.head
  const to = join(r.dir, 'backup')
  r.run('backup', to, '--node', dir)
  const before_ = await head()
  await r.stop('133100')
  if (process.env.TONGHUI_TEST_STORE === 'postgresql') {
    const { execFileSync } = await import('node:child_process')
    const name = r.databases[codes.indexOf('133100')]
    execFileSync('psql', [process.env.TONGHUI_TEST_PG, '-qc', `DROP DATABASE ${name} WITH (FORCE)`, '-c', `CREATE DATABASE ${name}`])
  } else {
    for (const tail of ['', '-wal', '-shm', '-registers', '-registers-wal', '-registers-shm']) rmSync(join(dir, `store.sqlite${tail}`), { force: true })
  }
  r.run('restore', to, '--node', dir)
  await r.start('133100')
  const system = r.keyed('133100', 'after')
  await until('an answer after the restore', async () => (await system.post('/exchange/v1/ask', { provider: '133100', register: 'population', operation: 'verify', key: { id_number: '11010519491231002X' }, claims: { name: 'x' }, purpose: { item: 'identity-check' } })).status === 200)
  const now = await head()
  assert.equal(before_.log, '133100.1')
  assert.match(now.log, /^133100\.\d+$/)
  assert.notEqual(now.log, before_.log)
  const alarms = await (await r.signedIn('110000', 'operator')).get('/exchange/v1/alarms')
  assert.deepEqual(alarms.json.items.filter((a) => a.kind === 'equivocation'), [])
})
