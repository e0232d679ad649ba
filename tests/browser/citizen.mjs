// The citizen, phone first: apply with the keyboard alone, follow the case live, see who looked and prove it, object, take back an
// agreement, larger letters.
import { test } from 'node:test'
import { accessible, as, assert, foreign, go, languages, narrow, region, settled, shoot, tabTo } from './world.mjs'
import { until } from '../lib/region.mjs'

const heading = (page) => page.locator('main h1').first()

/* Apply for the item with keys only; gives the new case's id. */
export async function applyByKeyboard(v, picture) {
  const { page } = v
  const step = (n) => page.waitForFunction((n) => new URLSearchParams(location.search).get('step') === String(n), n)
  await go(v, '/items/HE-TALENT-CARD')
  await tabTo(page, '.bar .button')
  await page.keyboard.press('Enter')
  await page.waitForURL('**/apply/HE-TALENT-CARD')
  await settled(page)
  await page.locator('.bar button').waitFor()
  await tabTo(page, '.bar button')
  await page.keyboard.press('Enter')
  for (let consent = 0; consent < 2; consent++) {
    await step(consent + 2)
    if (!consent && picture) await accessible(page, 'consent')
    if (!consent && picture) await shoot(page, `${picture}-consent`)
    await tabTo(page, 'input[type=radio]')
    await page.keyboard.press('Space')
    await tabTo(page, '.bar button')
    await page.keyboard.press('Enter')
  }
  await step(4)
  /* Nothing filled in: each field says what it needs and the first has the focus. */
  await tabTo(page, '.bar button')
  await page.keyboard.press('Enter')
  await page.locator('.fault').first().waitFor()
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('aria-invalid')), 'true')
  if (picture) await accessible(page, 'form with faults')
  if (picture) await shoot(page, `${picture}-faults`)
  await page.evaluate(() => document.querySelector('main h1').focus())
  await tabTo(page, 'form .button.plain')
  await page.keyboard.press('Enter')
  for (let n = 4; ; n++) {
    await tabTo(page, '.bar button')
    await page.keyboard.press('Enter')
    await page.waitForFunction((n) => new URLSearchParams(location.search).get('step') !== String(n), n)
    if (await page.locator('#declare').count()) break
    await page.evaluate(() => document.querySelector('main h1').focus())
    await tabTo(page, 'form .button.plain')
    await page.keyboard.press('Enter')
  }
  if (picture) await accessible(page, 'check answers')
  if (picture) await shoot(page, `${picture}-check`)
  await tabTo(page, '#declare')
  await page.keyboard.press('Space')
  await tabTo(page, '.bar button')
  await page.keyboard.press('Enter')
  await page.locator('.sent').waitFor()
  if (picture) await accessible(page, 'sent')
  if (picture) await shoot(page, `${picture}-sent`)
  return (await page.locator('a[href^="/cases/"]').first().getAttribute('href')).split('/').pop()
}

for (const lang of languages)
  test(`citizen, phone, ${lang}: applies with the keyboard, follows the case, sees and proves who looked`, () =>
    as('120000', 'citizen', { size: 'phone', lang }, async (v) => {
      const { page } = v
      const id = await applyByKeyboard(v, `apply-phone-${lang}`)
      await page.locator('a[href^="/cases/"]').first().click()
      await settled(page)
      await page.locator('.evidence .mark.good').first().waitFor()
      await page.waitForFunction(() => document.querySelectorAll('.evidence .mark.good').length >= 4)
      assert.deepEqual(await foreign(page, lang), [])
      await narrow(page, 'case')
      await accessible(page, 'case')
      await shoot(page, `case-phone-${lang}`)

      /* The proof of an answer is computed here; with one byte changed it fails. */
      await page.locator('.evidence .proof-link').first().click()
      await page.locator('dialog .verdict.good').waitFor()
      assert.equal(await page.locator('dialog .proof-steps > li.good').count(), 5)
      await accessible(page, 'proof')
      await page.keyboard.press('Escape')

      await go(v, '/looks')
      await page.locator('.look').first().waitFor()
      assert.ok((await page.locator('.look').count()) >= 2)
      await page.waitForFunction(() => !/HE-HRSS|household_region/.test(document.querySelector('main').textContent))
      assert.deepEqual(await foreign(page, lang), [])
      await narrow(page, 'looks')
      await accessible(page, 'looks')
      await shoot(page, `looks-phone-${lang}`)
      await page.locator('.look .proof-link').first().click()
      await page.locator('dialog .verdict.good').waitFor()
      await shoot(page, `proof-phone-${lang}`, false)
      await page.keyboard.press('Escape')
      return id
    }))

test('citizen: objects to a look; the case opens at the node that keeps the register and its answer comes back live', () =>
  as('120000', 'citizen', { size: 'phone' }, async (v) => {
    const { page } = v
    await go(v, '/looks')
    const beijing = page.locator('.look', { has: page.locator('.node', { hasText: '北京市' }), hasNotText: '查看记录' }).first()
    await beijing.locator('button', { hasText: '我有异议' }).click()
    await page.locator('#object-reason').fill('')
    v.allow(/^POST \/cases\/v1\/cases 400$/)
    await page.locator('dialog button', { hasText: '提出异议' }).click()
    await page.locator('#object-reason-fault').waitFor()
    await page.waitForFunction(() => document.activeElement?.id === 'object-reason')
    await accessible(page, 'objection with a fault')
    await page.locator('#object-reason').fill('我没有办理这件事')
    await page.locator('dialog button', { hasText: '提出异议' }).click()
    await page.locator('dialog .mark.good').waitFor()
    await page.locator('dialog a').click()
    await settled(page)
    await page.locator('.now .state').waitFor()
    const id = new URL(page.url()).pathname.split('/').pop()
    const clerk = await region.signedIn('110000', 'clerk')
    await until('the objection in Beijing', async () => (await clerk.get(`/cases/v1/cases/${id}`)).status === 200)
    await clerk.post(`/cases/v1/cases/${id}:accept`)
    await page.locator('.now', { hasText: '已受理' }).waitFor()
    await clerk.post(`/cases/v1/cases/${id}:decide`, { outcome: 'refused', reason: '有授权，也有您的同意', law: '个人信息保护法第四十四条' })
    await page.locator('.timeline', { hasText: '有授权，也有您的同意' }).waitFor()
    await accessible(page, 'objection decided')
    await shoot(page, 'objection-phone-zh')
  }))

test('citizen: takes back an agreement and withdraws a case', () =>
  as('120000', 'citizen', { size: 'phone' }, async (v) => {
    const { page } = v
    const id = await applyByKeyboard(v)
    await go(v, `/cases/${id}`)
    await page.waitForFunction(() => document.querySelectorAll('.evidence .mark.good').length >= 4)
    await page.locator('.evidence button', { hasText: '撤回同意' }).first().click()
    await page.locator('dialog').waitFor()
    await accessible(page, 'take back')
    await page.locator('dialog .button.danger').click()
    await page.locator('.evidence', { hasText: '同意已于' }).waitFor()
    await page.locator('.timeline', { hasText: '撤回了对' }).waitFor()
    await page.locator('button.danger', { hasText: '撤回' }).last().click()
    await page.locator('dialog .button.danger').click()
    await page.locator('#step-reason-fault').waitFor()
    await page.locator('#step-reason').fill('不办了')
    await page.locator('dialog .button.danger').click()
    await page.locator('.now', { hasText: '已撤回' }).waitFor()
    await shoot(page, 'withdrawn-phone-zh')
  }))

test('citizen: hands a paper in on the case; what is no paper is refused where it was chosen; the deciding office reads it', () =>
  as('120000', 'citizen', { size: 'phone' }, async (v) => {
    const { page } = v
    await go(v, '/items/HE-DRIVER-RENEW')
    const id = await page.evaluate(async () => {
      const session = await (await fetch('/people/v1/session')).json()
      const answer = await fetch('/cases/v1/cases', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': session.csrf, 'Idempotency-Key': crypto.randomUUID() },
        body: JSON.stringify({ item: 'HE-DRIVER-RENEW', form: { licence: '130182197503155027', phone: '13800000000' }, consents: [] }),
      })
      return (await answer.json()).id
    })
    await go(v, `/cases/${id}`)
    const paper = page.locator('.papers > li', { hasText: '证件照' })
    await paper.locator('input[type=file]').setInputFiles({ name: 'photo.docx', mimeType: 'application/msword', buffer: Buffer.from('x') })
    await paper.locator('.fault', { hasText: '只收' }).waitFor()
    await paper.locator('input[type=file]').setInputFiles({ name: 'photo.png', mimeType: 'image/png', buffer: Buffer.from('no picture') })
    await paper.locator('.problem', { hasText: '文件内容与所称类型不符' }).waitFor()
    v.faults.splice(0, v.faults.length, ...v.faults.filter((each) => !/422/.test(each)))
    await accessible(page, 'papers')
    await shoot(page, 'papers-phone-zh')
    const png = Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), Buffer.alloc(2_200_000, 7)])
    await paper.locator('input[type=file]').setInputFiles({ name: '王小明的相片.png', mimeType: 'image/png', buffer: png })
    await page.locator('.papers a', { hasText: '王小明的相片.png' }).waitFor()
    await page.locator('.timeline', { hasText: '王小明的相片.png' }).waitFor()
    await page.locator('.papers button.link', { hasText: '补交' }).click()
    await page.locator('.papers > li', { hasText: '容缺受理' }).waitFor()
    await as('130000', 'clerk', {}, async (clerk) => {
      await go(clerk, `/desk/${id}?view=all`)
      const link = clerk.page.locator('.papers a', { hasText: '王小明的相片.png' })
      await link.waitFor({ timeout: 30_000 })
      const [download] = await Promise.all([clerk.page.waitForEvent('download'), link.click()])
      assert.equal(download.suggestedFilename(), '王小明的相片.png')
      await shoot(clerk.page, 'papers-desk-zh')
    })
  }))

test('citizen: larger letters, kept after a reload; the other language on the spot', () =>
  as('120000', 'citizen', { size: 'phone' }, async (v) => {
    const { page } = v
    const base = () => page.evaluate(() => getComputedStyle(document.documentElement).fontSize)
    await go(v, '/me')
    assert.equal(await base(), '16px')
    await page.locator('.switch').click()
    assert.equal(await base(), '18px')
    await page.reload()
    await settled(page)
    assert.equal(await base(), '18px')
    for (const path of ['/', '/items', '/cases', '/looks', '/me']) {
      await go(v, path)
      await narrow(page, `${path} in larger letters`)
    }
    await go(v, '/')
    await shoot(page, 'home-care-phone-zh')
    await page.locator('.lang').click()
    await page.waitForFunction(() => document.documentElement.lang === 'en')
    assert.deepEqual(await foreign(page, 'en'), [])
    assert.match(await heading(page).textContent(), /What would you like/)
  }))
