// The clerk with the keyboard alone, the counter, and the round trip: decided in Hebei, delivered in Tianjin, on an open page.
import { test } from 'node:test'
import { startCase, until } from '../lib/region.mjs'
import { accessible, as, assert, foreign, go, languages, narrow, region, settled, shoot, tabTo } from './world.mjs'

async function waiting(lang = 'zh') {
  const citizen = await region.signedIn('120000', 'citizen')
  const { id } = (await startCase(citizen)).json
  const clerk = await region.signedIn('130000', 'clerk')
  await until('arrival in Hebei', async () => (await clerk.get('/cases/v1/cases?view=worklist')).json.items.some((c) => c.id === id))
  return id
}

for (const lang of languages)
  test(`clerk, desk, ${lang}: accepts, decides and delivers with the keyboard; the citizen's open page in Tianjin hears of it`, async () => {
    const id = await waiting()
    await as('120000', 'citizen', { size: 'desk', lang }, (citizen) =>
      as('130000', 'clerk', { size: 'desk', lang }, async (v) => {
        const { page } = v
        await go(citizen, `/cases/${id}`)
        await citizen.page.locator('.live.live').waitFor()
        const home = new URL(citizen.page.url())
        await go(v, '/desk')
        await page.locator('.desk-one').first().waitFor()
        await accessible(page, 'work-list')
        assert.deepEqual(await foreign(page, lang), [])
        await shoot(page, `worklist-desk-${lang}`, false)
        /* j moves down the list to the case, Enter opens it. */
        for (let i = 0; i < 30; i++) {
          await page.keyboard.press('j')
          const href = await page.evaluate(() => document.activeElement?.getAttribute('href') ?? '')
          if (href.includes(id)) break
          if (i === 29) throw new Error('j does not reach the case')
        }
        await page.keyboard.press('Enter')
        await page.waitForURL(`**/desk/${id}*`)
        await settled(page)
        await page.locator('.evidence .mark.good').first().waitFor()
        assert.deepEqual(await foreign(page, lang), [])
        await accessible(page, 'case at the desk')
        await shoot(page, `desk-case-desk-${lang}`, false)
        await page.evaluate(() => document.activeElement?.blur())
        await page.keyboard.press('a')
        await page.locator('dialog[open]').waitFor()
        await accessible(page, 'accept')
        await tabTo(page, 'dialog button[type=submit]')
        await page.keyboard.press('Enter')
        await page.locator('dialog[open]').waitFor({ state: 'detached' })
        await citizen.page.locator('.timeline > li').nth(5).waitFor()
        await page.evaluate(() => document.activeElement?.blur())
        await page.keyboard.press('d')
        await page.locator('dialog[open]').waitFor()
        /* Refusing needs its reason and its law; each says so at its place. */
        await tabTo(page, 'dialog input[type=radio]')
        await page.keyboard.press('ArrowRight')
        await tabTo(page, 'dialog button[type=submit]')
        await page.keyboard.press('Enter')
        await page.locator('#step-law-fault').waitFor()
        assert.equal(await page.evaluate(() => document.activeElement?.id), 'step-reason')
        await accessible(page, 'decide with faults')
        await shoot(page, `decide-desk-${lang}`, false)
        await page.keyboard.press('Shift+Tab')
        await page.keyboard.press('ArrowLeft')
        await tabTo(page, 'dialog button[type=submit]')
        await page.keyboard.press('Enter')
        await page.locator('dialog[open]').waitFor({ state: 'detached' })
        await tabTo(page, '.desk-bar .button')
        await page.keyboard.press('Enter')
        await tabTo(page, 'dialog button[type=submit]')
        await page.keyboard.press('Enter')
        await page.locator('dialog[open]').waitFor({ state: 'detached' })
        /* Never reloaded: the events came by themselves, over the border. */
        await citizen.page.locator('.now', { hasText: lang === 'zh' ? '已送达' : 'Delivered' }).waitFor()
        assert.equal(citizen.page.url(), home.href)
        assert.deepEqual(await foreign(citizen.page, lang), [])
        await accessible(citizen.page, 'delivered case')
        await shoot(citizen.page, `delivered-desk-${lang}`)
        await go(v, '/desk?view=all')
        await page.locator('.desk-one', { hasText: lang === 'zh' ? '已送达' : 'Delivered' }).first().waitFor()
      }),
    )
  })

test('clerk: asks another administration about a case; its clerk answers, and the case goes on', async () => {
  const id = await waiting()
  const question = '请核实该学历证书是否由贵市高校颁发。'
  await as('130000', 'clerk', {}, (asker) =>
    as('110000', 'clerk', {}, async (asked) => {
      const { page } = asker
      await go(asker, `/desk/${id}`)
      await page.keyboard.press('a')
      await page.locator('dialog button[type=submit]').click()
      await page.locator('dialog').waitFor({ state: 'detached' })
      await page.locator('.desk-more summary').click()
      await accessible(page, 'other steps')
      await shoot(page, 'other-steps-desk-zh', false)
      await page.locator('.desk-more button', { hasText: '征求他地意见' }).click()
      await page.locator('#step-member').selectOption('110000')
      await page.locator('#step-question').fill(question)
      await page.locator('dialog button[type=submit]').click()
      await page.locator('.desk-bar-state', { hasText: '征求意见中' }).waitFor()
      const there = asked.page.locator('.consult', { hasText: question })
      for (let i = 0; ; i++) {
        await go(asked, '/desk/consults')
        if (await there.count()) break
        if (i > 20) throw new Error('the question does not arrive')
        await asked.page.waitForTimeout(500)
      }
      await accessible(asked.page, 'consults')
      assert.deepEqual(await foreign(asked.page, 'zh'), [])
      await shoot(asked.page, 'consults-desk-zh')
      await there.locator('button').click()
      await asked.page.locator('dialog button[type=submit]').click()
      await asked.page.locator('#step-text-fault').waitFor()
      await asked.page.locator('dialog .choice').first().click()
      await asked.page.locator('#step-text').fill('经核实，属实。')
      await asked.page.locator('dialog button[type=submit]').click()
      await there.locator('.mark.good').waitFor()
      await page.locator('.timeline', { hasText: '经核实，属实。' }).waitFor()
      await page.locator('.desk-bar .button', { hasText: '作出决定' }).waitFor()
    }),
  )
})

for (const lang of languages)
  test(`head of office, desk, ${lang}: extends a term at the case and finds it counted`, async () => {
    const id = await waiting()
    const clerk = await region.signedIn('130000', 'clerk')
    assert.equal((await clerk.post(`/cases/v1/cases/${id}:accept`)).status, 200)
    await as('130000', 'head', { lang }, async (v) => {
      const { page } = v
      const counted = async () => {
        await go(v, '/desk/office')
        const row = page.locator('tbody tr', { hasText: lang === 'zh' ? '引进人才服务卡申领' : 'Talent service card' })
        return Number(await row.locator('td').nth(3).textContent())
      }
      const before = await counted()
      await go(v, `/desk/${id}?view=all`)
      await page.locator('.desk-more summary').click()
      await page.locator('.desk-more button', { hasText: lang === 'zh' ? '延长期限' : 'Extend' }).click()
      await tabTo(page, 'dialog button[type=submit]')
      await page.keyboard.press('Enter')
      await page.locator('#step-reason-fault').waitFor()
      await page.locator('#step-reason').fill(lang === 'zh' ? '需要向毕业院校核实' : 'The school has to be asked')
      await page.locator('dialog button[type=submit]').click()
      await page.locator('dialog').waitFor({ state: 'detached' })
      await page.locator('.timeline', { hasText: lang === 'zh' ? '需要向毕业院校核实' : 'The school has to be asked' }).waitFor()
      assert.equal(await counted(), before + 1)
      await page.locator('.pick label').nth(2).click()
      await settled(page)
      assert.deepEqual(await foreign(page, lang), [])
      await accessible(page, 'office')
      await shoot(page, `office-counted-desk-${lang}`)
    })
  })

test('clerk: a new case joins the open work-list by itself', () =>
  as('130000', 'clerk', {}, async (v) => {
    await go(v, '/desk')
    await v.page.waitForTimeout(500)
    const before = await v.page.locator('.desk-one').count()
    await waiting()
    await v.page.waitForFunction((before) => document.querySelectorAll('.desk-one').length > before, before)
  }))

for (const [size, lang] of [['desk', 'zh'], ['phone', 'en']])
  test(`clerk, ${size}, ${lang}: applies for a person at the counter; faults stand at their fields`, () =>
    as('120000', 'clerk', { size, lang }, async (v) => {
      const { page } = v
      await go(v, '/desk/counter')
      await page.locator('button[type=submit]').click()
      await page.locator('#counter-id-fault').waitFor()
      assert.equal(await page.evaluate(() => document.activeElement?.id), 'counter-item')
      await accessible(page, 'counter with faults')
      await narrow(page, 'counter')
      await page.locator('#counter-item').selectOption('HE-TALENT-CARD')
      await page.locator('.form').waitFor()
      const { citizen } = await sample()
      await page.locator('#counter-name').fill(citizen.name)
      await page.locator('#counter-id').fill('11010519491231002X')
      for (const [name, value] of Object.entries(citizen.form)) {
        const field = page.locator(`.form [id$="-${name}"]`)
        if (await field.count()) (await field.evaluate((e) => e.tagName)) === 'SELECT' ? await field.selectOption(value) : await field.fill(value)
        else await page.locator(`.form input[type=radio][value="${value}"]`).check()
      }
      await shoot(page, `counter-filled-${size}-${lang}`)
      /* No agreement ticked: the node refuses and the page says so at the agreements. */
      v.allow(/^POST \/cases\/v1\/cases 400$/)
      await page.locator('button[type=submit]').click()
      await page.locator('.consents .fault').waitFor()
      for (const box of await page.locator('.consents input').all()) await box.check()
      await page.locator('button[type=submit]').click()
      await page.locator('.count').waitFor()
      assert.deepEqual(await foreign(page, lang), [])
      await page.locator('a.button').click()
      await settled(page)
      await page.locator('.timeline > li').first().waitFor()
    }))

async function sample() {
  const citizen = await region.signedIn('120000', 'citizen')
  const node = (await citizen.get('/operations/v1/node')).json
  const session = (await citizen.get('/people/v1/session')).json
  return { citizen: { name: session.account.name, form: node.logins.find((each) => each.role === 'citizen').sample } }
}
