// Every page, in both languages, at three sizes: accessible, translated, not too wide, marked as simulated, light at first sight.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { startCase, until } from '../lib/region.mjs'
import { root, shots } from './lib.mjs'
import { accessible, as, assert, foreign, go, languages, names, narrow, region, settled, shoot, tabTo } from './world.mjs'

/* name, node, who, path */
const pages = [
  ['home', '120000', null, '/'],
  ['sign-in', '120000', null, '/sign-in'],
  ['items', '120000', null, '/items'],
  ['items-none', '120000', null, '/items?q=○○'],
  ['item', '120000', null, '/items/HE-TALENT-CARD'],
  ['catalogue', '110000', null, '/catalogue'],
  ['dataset-open', '110000', null, '/catalogue/divisions'],
  ['check', '110000', null, '/check'],
  ['wall', '110000', null, '/wall'],
  ['tour', '120000', null, '/tour'],
  ['lost', '120000', null, '/nowhere'],
  ['home-signed', '120000', 'citizen', '/'],
  ['apply', '120000', 'citizen', '/apply/HE-TALENT-CARD'],
  ['cases', '120000', 'citizen', '/cases'],
  ['looks', '120000', 'citizen', '/looks'],
  ['wallet', '120000', 'citizen', '/wallet'],
  ['show', '120000', 'citizen', '/show'],
  ['me', '120000', 'citizen', '/me'],
  ['denied', '120000', 'citizen', '/operator'],
  ['dataset', '120000', 'citizen', '/catalogue/register-degrees'],
  ['desk', '130000', 'clerk', '/desk'],
  ['counter', '130000', 'clerk', '/desk/counter'],
  ['issued', '130000', 'clerk', '/desk/certificates'],
  ['ask', '130000', 'clerk', '/desk/ask'],
  ['consults', '130000', 'clerk', '/desk/consults'],
  ['office', '130000', 'head', '/desk/office'],
  ['desk-head', '130000', 'head', '/desk'],
  ['members', '110000', 'operator', '/operator'],
  ['trust', '110000', 'operator', '/operator/trust'],
  ['links', '110000', 'operator', '/operator/links'],
  ['grants', '110000', 'operator', '/operator/grants'],
  ['requests', '110000', 'operator', '/operator/requests'],
  ['journal', '110000', 'auditor', '/operator/journal'],
  ['registers', '110000', 'operator', '/operator/registers'],
  ['accounts', '110000', 'operator', '/operator/accounts'],
  ['totp', '110000', 'operator', '/me/totp'],
  ['links-duty', '110000', 'duty', '/operator/links'],
  ['requests-accountant', '110000', 'accountant', '/operator/requests'],
  ['me-staff', '110000', 'accountant', '/me'],
]
const onWall = new Set(['wall', 'tour', 'home', 'desk', 'journal', 'office'])
const people = [...new Set(pages.map(([, code, login]) => `${code} ${login ?? ''}`))]

/* Loaded once, in Chinese; then the page's own switch makes it English. */
for (const size of ['phone', 'desk', 'wall'])
  test(`every page, ${size}: both languages, accessible, no wider than the window, marked as simulated`, async () => {
    const found = []
    const visit = async (who) => {
      const [code, login] = who.split(' ')
      const mine = pages.filter((page) => page[1] === code && (page[2] ?? '') === login && (size !== 'wall' || onWall.has(page[0])))
      if (!mine.length) return
      await as(code, login || null, { size }, async (v) => {
        for (const [name, , , path] of mine) {
          await v.context.addCookies([{ name: 'tonghui-lang', value: 'zh', url: v.base }])
          await go(v, path)
          for (const lang of languages) {
            const check = async (what, work) => {
              try {
                await work()
              } catch (cause) {
                found.push(`${name} ${size} ${lang}, ${what}: ${cause.message}`)
              }
            }
            if (lang === 'en') {
              await v.page.locator('.lang').click()
              await v.page.waitForFunction(() => document.documentElement.lang === 'en')
              await settled(v.page)
            } else {
              await check('accessible', () => accessible(v.page, name))
              await check('heading', async () => assert.equal(await v.page.locator('h1').count(), 1))
              await check('simulated', async () => assert.ok(await v.page.locator('.simulated').count()))
            }
            await check('words', () => until('no words of the other language', async () => !(await foreign(v.page, lang)).length, 2000).catch(async () => assert.deepEqual(await foreign(v.page, lang), [])))
            await check('width', () => narrow(v.page, name))
            if (name === 'wall' && size !== 'phone')
              await check('clipped', async () => {
                const clipped = await v.page.evaluate(() => [...document.querySelectorAll('.wall-node')].map((e) => e.scrollHeight - e.clientHeight).filter((over) => over > 1))
                assert.deepEqual(clipped, [])
              })
            await check('title', async () => assert.ok((await v.page.title()).length > 4))
            await shoot(v.page, `${name}-${size}-${lang}`, !['wall', 'desk'].includes(name))
            await check('faults', async () => assert.deepEqual(v.faults.splice(0), []))
          }
        }
      })
    }
    const rest = [...people]
    await Promise.all([1, 2].map(async () => {
      while (rest.length) await visit(rest.shift())
    }))
    assert.equal(found.join('\n\n'), '')
  })

test('the first view weighs at most 150 KB, and asks for nothing elsewhere', () =>
  as('120000', null, { size: 'phone' }, async (v) => {
    let bytes = 0
    const seen = []
    v.page.on('response', async (response) => {
      const path = new URL(response.url()).pathname
      const body = await response.body().catch(() => Buffer.alloc(0))
      const gzip = gzipSync(body, { level: 9 }).length
      bytes += Math.min(gzip, body.length)
      seen.push(`${path} ${gzip}`)
    })
    await go(v, '/')
    await v.page.waitForLoadState('networkidle')
    console.log(`# first view: ${(bytes / 1024).toFixed(1)} KB gzip in ${seen.length} answers`)
    assert.ok(bytes > 10_000 && bytes <= 150 * 1024, `${bytes} bytes: ${seen.join(', ')}`)
    /* The node serves what was packed beforehand, not the plain file. */
    const script = seen.find((each) => /\.js /.test(each)).split(' ')[0]
    const packed = await v.context.request.get(script, { headers: { 'Accept-Encoding': 'gzip' } })
    assert.equal(packed.headers()['content-encoding'], 'gzip')
  }))

test('a page that loads, one that fails and one that is refused say so', () =>
  as('120000', 'citizen', { size: 'phone' }, async (v) => {
    const { page } = v
    await page.route('**/exchange/v1/looks', async (route) => {
      await new Promise((done) => setTimeout(done, 1200))
      await route.continue()
    })
    await page.goto('/looks')
    await page.locator('.waiting').waitFor()
    await accessible(page, 'loading')
    await shoot(page, 'loading-phone-zh')
    await settled(page)
    await page.unroute('**/exchange/v1/looks')
    await page.route('**/cases/v1/cases?*', (route) =>
      route.fulfill({ status: 503, contentType: 'application/problem+json', headers: { 'retry-after': '7' }, body: JSON.stringify({ type: 'urn:tonghui:problem:busy', status: 503, title: '系统繁忙', title_zh: '系统繁忙，请稍后再试', title_en: 'Busy; try again shortly', detail: '系统繁忙，请稍后再试' }) }),
    )
    v.allow(/cases 503$/)
    await page.goto('/cases')
    await page.locator('.problem').waitFor()
    await accessible(page, 'problem')
    await shoot(page, 'problem-phone-zh')
    await page.unroute('**/cases/v1/cases?*')
    await page.locator('.problem button').click()
    await page.locator('.problem').waitFor({ state: 'detached' })
    /* The node gone: what was typed stays. */
    await go(v, '/apply/HE-TALENT-CARD')
  }))

test('the skip link and the page change are for those who do not see', () =>
  as('120000', null, {}, async (v) => {
    const { page } = v
    await go(v, '/')
    await tabTo(page, '.skip', 1)
    await page.keyboard.press('Enter')
    assert.equal(await page.evaluate(() => location.hash), '#main')
    await go(v, '/')
    await page.locator('a[href="/items"]').first().click()
    await settled(page)
    await page.waitForFunction(() => document.activeElement?.tagName === 'H1')
    assert.match(await page.title(), /办事/)
  }))

test('every verification that a service asks for is granted by its register, to every member, and nothing is granted for services that there are not', async () => {
  const anyone = region.client('110000')
  const auditor = await region.signedIn('110000', 'auditor')
  const items = (await anyone.get('/government/v1/items')).json.items
  const given = new Set()
  const known = new Set([...items, ...(await anyone.get('/operations/v1/node')).json.purposes].map((each) => each.code))
  const unknown = new Set()
  for (const provider of Object.keys(names))
    for (const grant of (await auditor.get(`/exchange/v1/grants?provider=${provider}`)).json.items)
      for (const purpose of grant.purposes) {
        if (!known.has(purpose)) unknown.add(`${grant.id} ${purpose}`)
        for (const field of grant.fields)
          given.add([provider, grant.consumer.member, grant.register, grant.operation, purpose, field].join(' '))
      }
  assert.deepEqual([...unknown], [], 'grants for services that there are not')
  const lacking = []
  for (const { code } of items)
    for (const each of (await anyone.get(`/government/v1/items/${code}`)).json.evidence)
      for (const consumer of Object.keys(names))
        for (const { name } of each.fields) {
          const wanted = [each.provider.code, consumer, each.register, each.operation, code, name].join(' ')
          if (!given.has(wanted)) lacking.push(wanted)
        }
  assert.deepEqual(lacking, [])
})

test('what the node answers has the shapes that the console believes', async () => {
  const citizen = await region.signedIn('120000', 'citizen')
  const clerk = await region.signedIn('130000', 'clerk')
  const operator = await region.signedIn('110000', 'operator')
  const auditor = await region.signedIn('110000', 'auditor')
  const { id } = (await startCase(citizen)).json
  await until('evidence', async () => (await citizen.get(`/cases/v1/cases/${id}`)).json.evidence.every((e) => e.state === 'answered'))
  await citizen.post(`/cases/v1/cases/${id}:revoke`, { evidence: 'degree' })
  await operator.post('/people/v1/keys', { name: 'shape', office: 'BJ-DATA' })
  await operator.post('/records/v1/catalogue/register-degrees:request', { reason: 'x', fields: ['name'], item: 'HE-TALENT-CARD' })
  const journal = await auditor.get('/exchange/v1/journal?limit=20')
  const list = [
    ['Case', await citizen.get(`/cases/v1/cases/${id}`)],
    ['Page<CaseBrief>', await citizen.get('/cases/v1/cases?view=mine')],
    ['Page<CaseBrief>', await clerk.get('/cases/v1/cases?view=all')],
    ['Statistics', await clerk.get('/cases/v1/statistics')],
    ['{ items: Consult[] }', await clerk.get('/cases/v1/consults')],
    ['Looks', await citizen.get('/exchange/v1/looks')],
    ['Session', await citizen.get('/people/v1/session')],
    ['NodeInfo', await citizen.get('/operations/v1/node')],
    ['Wall', await citizen.get('/operations/v1/wall')],
    ['Page<ItemBrief>', await citizen.get('/government/v1/items')],
    ['Item', await citizen.get('/government/v1/items/HE-TALENT-CARD')],
    ['Item', await citizen.get('/government/v1/items/LOOK-OBJECTION')],
    ['RegionInfo', await operator.get('/exchange/v1/region')],
    ['{ items: Grant[] }', await operator.get('/exchange/v1/grants')],
    ['{ items: Link[] }', await operator.get('/exchange/v1/links')],
    ['{ items: Alarm[] }', await operator.get('/exchange/v1/alarms')],
    ['JournalPage', journal],
    ['Receipts', await auditor.get(`/exchange/v1/receipts/${journal.json.items.find((e) => e.id).id}`)],
    ['Receipts', await operator.get(`/exchange/v1/receipts/${journal.json.items.find((e) => e.id).id}`)],
    ['{ items: Register[] }', await operator.get('/records/v1/registers')],
    ['{ items: Account[] }', await operator.get('/people/v1/accounts')],
    ['{ items: ApiKey[]; offices: Coded[] }', await operator.get('/people/v1/keys')],
    ['Page<DatasetBrief>', await operator.get('/records/v1/catalogue')],
    ['Dataset', await operator.get('/records/v1/catalogue/register-degrees')],
    ['Dataset', await operator.get('/records/v1/catalogue/divisions')],
    ['{ items: DataRequest[] }', await operator.get('/records/v1/requests')],
  ]
  for (const [type, answer] of list) assert.equal(answer.status, 200, `${type}: ${answer.text}`)
  /* The compiler is the judge: what is missing, too much or of another type is an error of this file. */
  const types = [...new Set(list.flatMap(([type]) => type.match(/[A-Z]\w+/g)))]
  const lines = list.map(([type, answer], i) => `export const a${i}: ${type} = ${JSON.stringify(answer.json)}`)
  mkdirSync(shots, { recursive: true })
  const file = join(root, 'web/src/shapes.check.ts')
  writeFileSync(file, `import type { ${types.join(', ')} } from './lib/types'\n${lines.join('\n')}\n`)
  try {
    execFileSync(join(root, 'web/node_modules/.bin/tsc'), ['--noEmit', '-p', join(root, 'web/tsconfig.json')], { encoding: 'utf8', stdio: 'pipe' })
  } catch (cause) {
    const said = String(cause.stdout).split('\n').filter((line) => /shapes\.check/.test(line))
    assert.fail(`${said.length} shapes differ\n${said.slice(0, 20).map((line) => line.slice(0, 400)).join('\n')}`)
  } finally {
    const { rmSync } = await import('node:fs')
    rmSync(file, { force: true })
  }
  assert.ok(readFileSync(join(root, 'web/src/lib/types.ts'), 'utf8').includes('interface Case '))
})
