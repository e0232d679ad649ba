// The READMEs' tour works as written: its commands are taken from the page and run, its pages are there, its links lead somewhere.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { binary, freeBase, root, until } from '../lib/region.mjs'

const dir = mkdtempSync(join(tmpdir(), 'tonghui-readme-'))
let base, claim, region
before(async () => {
  ;({ base, claim } = await freeBase())
  mkdirSync(join(dir, 'build'))
  symlinkSync(binary, join(dir, 'build/tonghui'))
  symlinkSync(join(root, 'region'), join(dir, 'region'))
  region = spawn(binary, ['up', '--region', join(root, 'region/jingjinji'), '--dir', join(dir, 'var'), '--console', join(root, 'web/dist'), '--people', '400', '--port-base', String(base)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  region.stdout.on('data', (bytes) => (said += bytes))
  await until('the region to be up', () => said.includes('Ctrl-C'), 60000)
})
after(async () => {
  const ended = new Promise((done) => region.once('close', done))
  region.kill('SIGTERM')
  await ended
  rmSync(claim, { recursive: true, force: true })
  rmSync(dir, { recursive: true, force: true })
})
/* 8110 of the page is the first portal of this region. */
const here = (text) => text.replaceAll(/127\.0\.0\.1:8(\d\d\d)/g, (_, port) => `127.0.0.1:${base + Number(port) - 100}`)

for (const name of ['README.md', 'README.zh.md']) {
  const page = readFileSync(join(root, name), 'utf8')
  const tour = page.slice(page.search(/^## (A tour|五分钟)/m), page.search(/^## (The house|房子)/m))

  test(`${name}: every command of the tour does what the page says`, async () => {
    const blocks = [...tour.matchAll(/```sh\n([\s\S]*?)```/g)].map((m) => here(m[1]))
    assert.equal(blocks.length, 3)
    const script = blocks.map((b, i) => `echo "== ${i}"\n${b}`).join('\n')
    const ran = spawnSync('sh', ['-eu', '-c', `export TONGHUI_LANG=en\n${script}`], { cwd: dir, encoding: 'utf8' })
    const said = ran.stdout + ran.stderr
    assert.equal(ran.status, 0, said)
    assert.match(said, /"results":\{"name":"match","status":"mismatch"\}/)
    assert.match(ran.stderr, /The receipt holds: log 130000\./)
    assert.match(ran.stderr, /Failed: .*receipt-path/s)
    assert.match(ran.stderr, /Log 110000\.\d+ is whole/)
    assert.match(ran.stdout, /✓ trust-document/)
    assert.doesNotMatch(ran.stdout, /✗/)
  })

  test(`${name}: every address of the tour is a page`, async () => {
    const pages = [...tour.matchAll(/<(http:\/\/[^>]+)>/g)].map((m) => here(m[1]))
    assert.ok(pages.length >= 5)
    for (const url of pages) {
      const answer = await fetch(url, { headers: { Accept: 'text/html' } })
      assert.equal(answer.status, 200, url)
      assert.match(await answer.text(), /<div id="app"/)
    }
  })

  test(`${name}: the words of its buttons are those of the console`, () => {
    const words = readdirSync(join(root, 'web/src/texts')).map((f) => readFileSync(join(root, 'web/src/texts', f), 'utf8')).join('\n')
    const quoted = name === 'README.md' ? [...tour.matchAll(/(?<!\*)\*([^*\n]+)\*(?!\*)/g)].map((m) => m[1]) : [...tour.matchAll(/“([^”]+)”/g)].map((m) => m[1])
    const items = readdirSync(join(root, 'region/jingjinji/items')).map((f) => readFileSync(join(root, 'region/jingjinji/items', f), 'utf8')).join('\n')
    const steps = readFileSync(join(root, 'region/jingjinji/cases.json'), 'utf8')
    assert.ok(quoted.length > 8)
    for (const word of quoted) assert.ok(words.includes(`'${word}'`) || items.includes(`"${word}"`) || steps.includes(`"${word}"`), `“${word}” is nowhere in the console`)
  })
}

/* How to call a node: every command of the page, one after the other. */
for (const name of ['docs/api.md', 'docs/api.zh.md'])
  test(`${name}: every command answers as the page says`, () => {
    const blocks = [...readFileSync(join(root, name), 'utf8').matchAll(/```sh\n([\s\S]*?)```/g)].map((m) => here(m[1]))
    assert.equal(blocks.length, 5)
    const ran = spawnSync('sh', ['-eu', '-c', blocks.map((b) => `${b}\necho`).join('\n')], { cwd: dir, encoding: 'utf8' })
    assert.equal(ran.status, 0, ran.stderr)
    const [, verify, query, batch, ...csv] = ran.stdout.split('\n')
    assert.deepEqual(JSON.parse(verify).results, { name: 'match', status: 'match' })
    assert.deepEqual(Object.keys(JSON.parse(query).record).toSorted(), ['established', 'name', 'status'])
    const { items } = JSON.parse(batch)
    assert.deepEqual(items[0].results, { status: 'match' })
    assert.equal(items[1].problem.type, 'urn:tonghui:problem:grant-purpose')
    assert.match(csv.join('\n'), /^code,name,level,parent,member\n110000,北京市/m)
  })

test('every link of the documents leads to something', () => {
  const pages = ['README.md', 'README.zh.md', 'CHANGELOG.md', ...readdirSync(join(root, 'docs'), { recursive: true }).filter((f) => f.endsWith('.md')).map((f) => `docs/${f}`)]
  const lost = []
  for (const page of pages)
    for (const [, to] of readFileSync(join(root, page), 'utf8').matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g))
      if (!/^https?:/.test(to) && !existsSync(join(root, dirname(page), to))) lost.push(`${page} → ${to}`)
  assert.deepEqual(lost, [])
})
