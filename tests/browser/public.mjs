// What anybody may open: the wall, the tour, the catalogue and its datasets.
import { test } from 'node:test'
import { Client, password, startCase, until } from '../lib/region.mjs'
import { signIn } from './lib.mjs'
import { accessible, as, assert, foreign, go, languages, narrow, region, settled, shoot } from './world.mjs'

test('wall: live by server-sent events, messages on the map, a node that goes and comes back', () =>
  as('110000', null, { size: 'wall' }, async (v) => {
    const { page } = v
    await go(v, '/wall')
    await page.locator('.live.live').waitFor()
    assert.equal(await page.locator('.wall-node').count(), 4)
    const clock = () => page.locator('.wall-asof').textContent()
    const first = await clock()
    await page.waitForFunction((first) => document.querySelector('.wall-asof').textContent !== first, first)
    /* The quiet life of the demonstration crosses the map: something is drawn. */
    await page.waitForFunction(() => {
      const canvas = document.querySelector('.map canvas')
      return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0)
    })
    await page.waitForFunction(() => [...document.querySelectorAll('.wall-flows td')].some((cell) => Number.parseFloat(cell.textContent) > 0))
    await narrow(page, 'wall')
    await accessible(page, 'wall')
    await page.waitForTimeout(4000)
    await shoot(page, 'wall-live-wall-zh', false)
    await region.stop('133100')
    await page.locator('.wall-node.isdown').waitFor({ timeout: 15000 })
    await page.locator('.wall-top.wrong', { hasText: '雄安新区' }).waitFor()
    await page.locator('.wall-needs li', { hasText: '没有回应' }).waitFor()
    await accessible(page, 'wall with a node down')
    await shoot(page, 'wall-down-wall-zh', false)
    await region.start('133100')
    await page.locator('.wall-node.isdown').waitFor({ state: 'detached', timeout: 15000 })
    await page.locator('.wall-needs li', { hasText: '没有回应' }).waitFor({ state: 'detached', timeout: 15000 })
  }))

test('wall: who prefers stillness sees no dot move, and the ways light up instead', () =>
  as('110000', null, { size: 'desk', still: true }, async (v) => {
    const { page } = v
    await go(v, '/wall')
    await page.locator('.map-ways path.bright').first().waitFor({ timeout: 15000 })
    const drawn = await page.evaluate(() => {
      const canvas = document.querySelector('.map canvas')
      return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0)
    })
    assert.equal(drawn, false)
    const longest = await page.evaluate(() =>
      Math.max(0, ...[...document.querySelectorAll('*')].flatMap((e) => {
        const s = getComputedStyle(e)
        return [...s.animationDuration.split(','), ...s.transitionDuration.split(',')].map(Number.parseFloat)
      })),
    )
    assert.ok(longest <= 0.01, `something moves for ${longest} s`)
  }))

for (const lang of languages)
  test(`tour, ${lang}: plays one case for real, step by step, each with what crossed, what did not, and its proof`, () =>
    as('120000', lang === 'zh' ? 'citizen' : null, { size: lang === 'zh' ? 'desk' : 'phone', lang }, async (v) => {
      const { page } = v
      await go(v, '/tour')
      await page.locator('.tour-start .button').click()
      await page.locator('.tour-now h2').waitFor()
      await page.locator('.live', { hasText: lang === 'zh' ? '已结束' : 'Ended' }).waitFor({ timeout: 60000 })
      assert.equal(await page.locator('.tour-steps li.done').count(), 6)
      assert.equal(await page.locator('.tour-steps li.failed').count(), 0)
      const cut = await page.evaluate(() => {
        const box = document.querySelector('.tour-now .map').getBoundingClientRect()
        return [...document.querySelectorAll('.tour-now .map-land path')].map((path) => path.getBoundingClientRect()).filter((area) => area.top < box.top - 1 || area.bottom > box.bottom + 1).length
      })
      assert.equal(cut, 0, 'the map shows the region whole')
      for (let i = 0; i < 6; i++) {
        await page.locator('.tour-steps button').nth(i).click()
        await page.locator('.tour-now h2').waitFor()
        if (i) {
          await page.locator('.tour-now .verdict.good').waitFor()
          assert.ok(await page.locator('.pair').count(), `step ${i + 1} shows what crossed`)
        }
        assert.ok(await page.locator('.tour-kept li').count())
        await page.waitForTimeout(200)
        assert.deepEqual(await foreign(page, lang), [])
        await narrow(page, `step ${i + 1}`)
        await accessible(page, `step ${i + 1}`)
        await shoot(page, `tour-${i + 1}-${lang === 'zh' ? 'desk' : 'phone'}-${lang}`)
      }
      assert.ok((await page.locator('.tour-looks li').count()) >= 2, 'the last step shows the looks')
      await page.locator('.tour-now button', { hasText: lang === 'zh' ? '改一个字节试试' : 'Change one byte' }).click()
      await page.locator('.tour-now .verdict.wrong').waitFor()
      /* Arrow keys walk the steps. */
      await page.evaluate(() => document.activeElement?.blur())
      await page.keyboard.press('ArrowLeft')
      await page.locator('.tour-steps button[aria-current]', { hasText: lang === 'zh' ? '决定' : 'decides' }).waitFor()
    }))

test('catalogue: found by a word and by sector; an open dataset is downloaded whole', () =>
  as('110000', null, { size: 'phone' }, async (v) => {
    const { page } = v
    await go(v, '/catalogue')
    const all = await page.locator('.rows .entry').count()
    await page.locator('#catalogue-search').fill('行政区划')
    await page.waitForFunction((all) => document.querySelectorAll('.rows .entry').length < all, all)
    await page.locator('.entry', { hasText: '行政区划代码' }).click()
    await page.locator('.downloads').waitFor()
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('.downloads a', { hasText: 'csv' }).click()])
    const { readFileSync } = await import('node:fs')
    const lines = readFileSync(await download.path(), 'utf8').trim().split('\n')
    assert.ok(lines.length > 3000)
    await go(v, '/catalogue?sector=education')
    await until('education alone', async () => (await page.locator('.rows .entry').count()) === 1)
    await settled(page)
  }))

test('tour: a region without one says so, and one that stopped does not end in green', () =>
  as('120000', null, { size: 'phone', lang: 'en' }, async (v) => {
    const { page } = v
    await page.route('**/operations/v1/node', async (route) => {
      const answer = await route.fetch()
      await route.fulfill({ response: answer, json: { ...(await answer.json()), tour: false } })
    })
    await go(v, '/tour')
    await page.getByText('This region has no tour').waitFor()
    assert.equal(await page.locator('.tour-start button').count(), 0)
    await go(v, '/')
    assert.equal(await page.locator('a[href="/tour"]').count(), 0)
    await page.unroute('**/operations/v1/node')
    const failed = { step: 1, title: { zh: '未能继续', en: 'This could not go on' }, text: { zh: '办件未能开始', en: 'The case could not begin' }, crossed: [], kept: [], at: '2026-11-25T00:00:00Z', state: 'failed' }
    await page.route('**/operations/v1/tour/*', (route) => route.fulfill({ contentType: 'text/event-stream', body: `event: step\ndata: ${JSON.stringify(failed)}\n\nevent: end\ndata: {}\n\n` }))
    await go(v, '/tour')
    await page.locator('.tour-start .button').click()
    await page.locator('.tour-end.broken').waitFor()
    await shoot(page, 'tour-broken-phone-en')
    assert.doesNotMatch(await page.locator('.tour-end').innerText(), /That was all/)
  }))

test('a delivered case leads to its certificate, a deadline says what it is for, and a demonstration account has its English name', () =>
  as('120000', null, { size: 'phone', lang: 'en' }, async (v) => {
    const { page } = v
    const citizen = new Client(region.nodes['120000'].portal), clerk = new Client(region.nodes['130000'].portal)
    await citizen.signIn('citizen', password)
    await clerk.signIn('clerk', password)
    const { id } = (await startCase(citizen)).json
    const reaches = (state) => until(state, async () => (await citizen.get(`/cases/v1/cases/${id}`)).json.state === state, 30000)
    await reaches('received')
    await go(v, '/sign-in')
    assert.match(await page.locator('.demo-one').first().innerText(), /^Citizen/)
    await signIn(v, 'citizen')
    await go(v, `/cases/${id}`)
    await page.getByText(/^Accept by \d+ \w+ \(\d+ calendar days left\)/).waitFor()
    await page.getByText('counted in working days').waitFor()
    assert.equal(await page.getByRole('button', { name: /^Take back my agreement/ }).count(), 2)
    for (const [action, body] of [['accept', {}], ['decide', { outcome: 'approved' }]]) assert.equal((await clerk.post(`/cases/v1/cases/${id}:${action}`, body)).status, 200)
    await page.getByText(/^Deliver by /).waitFor()
    assert.equal((await clerk.post(`/cases/v1/cases/${id}:deliver`, {})).status, 200)
    await page.locator('.now a[href="/wallet"]').waitFor()
    assert.equal(await page.getByRole('button', { name: /^Take back my agreement/ }).count(), 0)
    assert.equal(await page.getByText(/calendar days/).count(), 0)
    await as('130000', 'clerk', { lang: 'en' }, async (at) => {
      await go(at, '/desk')
      await at.page.getByText('Demo clerk').first().waitFor()
    })
  }))
