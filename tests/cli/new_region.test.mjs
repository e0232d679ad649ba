// docs/new-region.md makes a region: its files and commands are taken from the page, and a citizen's case goes through it.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { Client, binary, freeBase, password, root, sampleOf, until } from '../lib/region.mjs'

const dir = mkdtempSync(join(tmpdir(), 'tonghui-new-'))
const files = (page) => [...readFileSync(join(root, 'docs', page), 'utf8').matchAll(/```json file=(\S+)\n([\s\S]*?)```/g)].map((m) => [m[1], m[2]])
let base, claim, region, command
const portal = (n) => `http://127.0.0.1:${base + 10 * n}`
before(async () => {
  ;({ base, claim } = await freeBase())
  const page = readFileSync(join(root, 'docs/new-region.md'), 'utf8')
  mkdirSync(join(dir, 'region'))
  mkdirSync(join(dir, 'build'))
  symlinkSync(join(root, 'region/jingjinji'), join(dir, 'region/jingjinji'))
  symlinkSync(binary, join(dir, 'build/tonghui'))
  mkdirSync(join(dir, 'web'))
  symlinkSync(join(root, 'web/dist'), join(dir, 'web/dist'))
  const [copy, run] = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map((m) => m[1])
  const copied = spawnSync('sh', ['-eu', '-c', copy], { cwd: dir, encoding: 'utf8' })
  assert.equal(copied.status, 0, copied.stderr)
  for (const [name, text] of files('new-region.md')) {
    const path = join(dir, 'region/delta', name)
    mkdirSync(dirname(path), { recursive: true })
    if (name !== 'homes.json') writeFileSync(path, text)
    else writeFileSync(join(dir, 'region/delta/generator.json'), JSON.stringify({ ...JSON.parse(readFileSync(join(root, 'region/jingjinji/generator.json'), 'utf8')), homes: JSON.parse(text) }))
  }
  command = run
  assert.match(await start(), /\/tour/)
})
async function start() {
  region = spawn('sh', ['-eu', '-c', `exec ${command.trim().replace('8200', String(base))} --people 200 --life 0`], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [region.stdout, region.stderr]) stream.on('data', (bytes) => (said += bytes))
  await until('the new region to be up', () => {
    if (region.exitCode !== null) throw new Error(said)
    return said.includes('Ctrl-C')
  }, 60000)
  return said
}
async function stop() {
  if (!region || region.exitCode !== null) return
  const ended = new Promise((done) => region.once('close', done))
  region.kill('SIGTERM')
  await ended
}
after(async () => {
  await stop()
  rmSync(claim, { recursive: true, force: true })
  rmSync(dir, { recursive: true, force: true })
})

test('the region is the one that the files say', async () => {
  const trust = (await (await fetch(`${portal(1)}/exchange/v1/region`)).json()).document.signed
  assert.deepEqual([trust.region, trust.name.zh, trust.members.map((m) => m.code)], ['delta', '长三角', ['310000', '330000']])
  const items = (await (await fetch(`${portal(1)}/government/v1/items`)).json()).items
  assert.deepEqual(items.map((i) => i.code), ['ZJ-GRADUATE-HOME'])
})

test('a case started in Shanghai is verified in both and decided in Zhejiang', async () => {
  const citizen = new Client(portal(1)), clerk = new Client(portal(2))
  assert.equal((await citizen.signIn('citizen', password)).status, 200)
  assert.equal((await clerk.signIn('clerk', password)).status, 200)
  await until('grants to be known', async () => (await (await fetch(`${portal(1)}/exchange/v1/grants?provider=330000`)).json()).items.length > 0)
  const { certificate_number, level } = await sampleOf(citizen)
  const started = await citizen.post('/cases/v1/cases', { item: 'ZJ-GRADUATE-HOME', form: { certificate_number, level, household_region: '330000' }, consents: ['degree', 'household'] })
  assert.equal(started.status, 201, started.text)
  const { id } = started.json
  await until('evidence', async () => (await citizen.get(`/cases/v1/cases/${id}`)).json.evidence.every((e) => e.state === 'answered'))
  const shown = (await citizen.get(`/cases/v1/cases/${id}`)).json
  assert.deepEqual(shown.evidence.map((e) => e.results), [{ name: 'match', level: 'match' }, { name: 'match', household_region: 'match' }])
  await until('arrival in Zhejiang', async () => (await clerk.get('/cases/v1/cases?view=worklist')).json.items.some((c) => c.id === id))
  for (const [action, body] of [['accept', {}], ['decide', { outcome: 'approved' }], ['deliver', {}]]) {
    const acted = await clerk.post(`/cases/v1/cases/${id}:${action}`, body)
    assert.equal(acted.status, 200, acted.text)
  }
  await until('the timeline in Shanghai', async () => (await citizen.get(`/cases/v1/cases/${id}`)).json.state === 'delivered')
})

async function tourOf(portal) {
  const begun = await fetch(`${portal}/operations/v1/tour`, { method: 'POST' })
  assert.equal(begun.status, 200)
  const stream = await (await fetch(`${portal}/operations/v1/tour/${(await begun.json()).id}`)).body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while (!/^event: end$/m.test(text)) {
    const { value, done } = await stream.read()
    if (done) break
    text += value
  }
  await stream.cancel()
  return [...text.matchAll(/^event: step\ndata: (.*)$/gm)].map((m) => JSON.parse(m[1]))
}

test('its tour is played to the end', async () => {
  assert.equal((await (await fetch(`${portal(1)}/operations/v1/node`)).json()).tour, true)
  const steps = await tourOf(portal(1))
  assert.deepEqual(steps.map((s) => s.state), ['done', 'done', 'done', 'done', 'done', 'done'], JSON.stringify(steps.map((s) => s.text.en)))
})

test('a region whose data plans no tour says so, and gives no address of one', async () => {
  const path = join(dir, 'region/delta/region.json'), { tour, ...rest } = JSON.parse(readFileSync(path, 'utf8'))
  await stop()
  writeFileSync(path, JSON.stringify({ ...rest, tour: { ...tour, item: 'NO-SUCH-ITEM' } }))
  await start()
  assert.equal((await (await fetch(`${portal(1)}/operations/v1/node`)).json()).tour, false)
  const begun = await fetch(`${portal(1)}/operations/v1/tour`, { method: 'POST' })
  assert.deepEqual([begun.status, (await begun.json()).type], [404, 'urn:tonghui:problem:no-tour'])
  await stop()
  writeFileSync(path, JSON.stringify(rest))
  assert.doesNotMatch(await start(), /\/tour/)
})

test('the page in Chinese gives the same files', () => {
  assert.deepEqual(files('new-region.zh.md'), files('new-region.md'))
})
