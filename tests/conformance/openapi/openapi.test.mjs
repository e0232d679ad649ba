// /openapi.json of both listeners: without a fault or a warning by Redocly's recommended rules, and true: what it names is served, with the
// roles that it says.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Region, root } from '../../lib/region.mjs'

const here = join(root, 'tests/conformance/openapi')
const cli = join(here, 'node_modules/@redocly/cli/bin/cli.js')
const CODE = '110000'
let r
const described = {}
before(async () => {
  if (!existsSync(cli)) execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'], { cwd: here })
  r = await Region.make({ people: 40 })
  await r.start(CODE)
  described.portal = await (await fetch(`${r.nodes[CODE].portal}/openapi.json`)).json()
  const own = join(r.nodes['120000'].dir, 'keys')
  described.peers = await new Promise((done, failed) =>
    https
      .get(`https://127.0.0.1:${r.nodes[CODE].realPort ?? r.nodes[CODE].peerPort}/openapi.json`, { cert: readFileSync(join(own, 'tls.cert.pem')), key: readFileSync(join(own, 'tls.key.pem')), rejectUnauthorized: false }, (answer) => {
        let text = ''
        answer.on('data', (bytes) => (text += bytes))
        answer.on('end', () => done(JSON.parse(text)))
      })
      .on('error', failed),
  )
})
after(() => r?.close())

for (const listener of ['portal', 'peers'])
  test(`the ${listener}' description passes Redocly's recommended rules`, () => {
    const file = join(r.dir, `${listener}.json`), config = join(r.dir, 'redocly.yaml')
    writeFileSync(file, JSON.stringify(described[listener]))
    // `…/{id}:accept` and `…/{id}` are told apart by the colon, which the rule does not know
    writeFileSync(config, 'extends:\n  - recommended\nrules:\n  no-ambiguous-paths: off\n')
    const lint = spawnSync('node', [cli, 'lint', file, '--config', config, '--format', 'json'], { encoding: 'utf8', env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' } })
    const { problems, totals } = JSON.parse(lint.stdout.slice(lint.stdout.indexOf('{')))
    assert.deepEqual(problems.map((p) => `${p.ruleId}: ${p.message} ${p.location?.[0]?.pointer ?? ''}`), [])
    assert.equal(totals.errors, 0)
    assert.equal(lint.status, 0)
  })

test('a faulty description does not pass: the linter is really asked', () => {
  const file = join(r.dir, 'faulty.json')
  const faulty = structuredClone(described.portal)
  faulty.paths['/exchange/v1/ask'].post.operationId = faulty.paths['/exchange/v1/looks'].get.operationId
  writeFileSync(file, JSON.stringify(faulty))
  assert.notEqual(spawnSync('node', [cli, 'lint', file], { encoding: 'utf8' }).status, 0)
})

test('every operation that is described is served, and asks for the roles that it names', async () => {
  const portal = r.nodes[CODE].portal
  let seen = 0
  for (const [path, operations] of Object.entries(described.portal.paths))
    for (const [method, o] of Object.entries(operations)) {
      const url = portal + path.replaceAll(/\{(\w+)\}/g, 'x')
      const body = o.requestBody ? { body: '{}', headers: { 'Content-Type': Object.keys(o.requestBody.content)[0] } } : {}
      const given = new AbortController()
      const answer = await fetch(url, { method: method.toUpperCase(), signal: given.signal, ...body })
      const type = answer.headers.get('content-type') ?? ''
      const problem = type.startsWith('application/problem+json') ? (await answer.json()).type : ''
      given.abort() // an event stream does not end
      assert.ok(!['urn:tonghui:problem:no-such-address', 'urn:tonghui:problem:method'].includes(problem) && answer.status !== 405, `${method} ${path}: ${answer.status} ${problem}`)
      if (o.security.length) assert.equal(answer.status, 401, `${method} ${path} is for ${o['x-roles']}`)
      else if (o.operationId !== 'signOut') assert.notEqual(answer.status, 401, `${method} ${path} is open`)
      seen++
    }
  assert.ok(seen > 40)
  const ids = Object.values(described.portal.paths).flatMap((p) => Object.values(p).map((o) => o.operationId))
  assert.equal(new Set(ids).size, ids.length)
})
