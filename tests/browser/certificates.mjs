// E-certificates in the browser: the citizen's wallet on a phone, a clerk who asks and one who suspends, anybody who checks: by picture, by page, by
// the camera, and without the node.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { chromium } from 'playwright-core'
import { startCase, until } from '../lib/region.mjs'
import { visitor } from './lib.mjs'
import { accessible, as, assert, foreign, go, languages, narrow, region, settled, shoot, tabTo } from './world.mjs'

const words = (lang, zh, en) => (lang === 'zh' ? zh : en)
async function card() {
  const citizen = await region.signedIn('120000', 'citizen'), clerk = await region.signedIn('130000', 'clerk')
  const { id } = (await startCase(citizen)).json
  await until('arrival in Hebei', async () => (await clerk.get('/cases/v1/cases?view=worklist')).json.items.some((c) => c.id === id))
  for (const [action, body] of [['accept', {}], ['decide', { outcome: 'approved' }]]) assert.equal((await clerk.post(`/cases/v1/cases/${id}:${action}`, body)).status, 200)
  const issued = (await clerk.get('/certificates/v1/certificates')).json.items.find((c) => c.case === id)
  return until('the wallet', async () => (await citizen.get('/certificates/v1/wallet')).json.items.find((c) => c.id === issued.id))
}
const picture = (name, buffer, mimeType = 'image/png') => ({ name, mimeType, buffer })
async function fine(v, where, lang) {
  await settled(v.page)
  assert.deepEqual(await foreign(v.page, lang), [], where)
  await accessible(v.page, where)
  await narrow(v.page, where)
}

for (const lang of languages)
  test(`wallet, phone, ${lang}: the card, its square, a part of it; a clerk in Beijing asks, she sees what would be shown and agrees`, async () => {
    const held = await card()
    await as('120000', 'citizen', { size: 'phone', lang }, (citizen) =>
      as('110000', 'clerk', { size: 'desk', lang }, async (clerk) => {
        const { page } = citizen
        await go(citizen, '/wallet')
        await page.locator('.cert').first().waitFor()
        await fine(citizen, 'wallet', lang)
        await shoot(page, `wallet-phone-${lang}`)
        await page.locator(`.cert[href="/wallet/${held.id}"]`).click()
        await page.waitForURL(`**/wallet/${held.id}`)
        await fine(citizen, 'certificate', lang)
        await shoot(page, `certificate-phone-${lang}`)
        await page.getByRole('button', { name: words(lang, '出示二维码', 'Show the square') }).click()
        const square = page.locator('dialog img')
        await square.waitFor()
        await page.waitForFunction(() => document.querySelector('dialog img').naturalWidth > 0)
        await accessible(page, 'square')
        await shoot(page, `square-phone-${lang}`, false)
        await page.keyboard.press('Escape')
        await page.getByLabel(words(lang, '学历', 'Education'), { exact: true }).check()
        await page.getByRole('button', { name: words(lang, '生成出示内容', 'Make it') }).click()
        const part = page.locator('textarea[readonly]')
        await part.waitFor()
        assert.equal((await part.inputValue()).split('~').length, 3) // the token, one disclosure, nobody's signature
        /* the clerk's question */
        await go(clerk, '/desk/ask')
        await clerk.page.locator('#ask-type').selectOption('HE-TALENT-CARD')
        await clerk.page.getByRole('button', { name: words(lang, '生成二维码', 'Make the square') }).click()
        await clerk.page.locator('#ask-purpose-fault').waitFor()
        assert.equal(await clerk.page.evaluate(() => document.activeElement?.id), 'ask-purpose')
        await fine(clerk, 'ask', lang)
        await clerk.page.getByLabel(words(lang, '学历', 'Education'), { exact: true }).check()
        await clerk.page.locator('#ask-purpose').fill(words(lang, '办理居住证', 'Residence permit'))
        await clerk.page.keyboard.press('Enter')
        await clerk.page.waitForFunction(() => document.querySelector('.ask-square')?.naturalWidth > 0)
        await fine(clerk, 'asked', lang)
        await shoot(clerk.page, `ask-desk-${lang}`, false)
        /* photographed by the phone */
        const photo = await clerk.page.locator('.ask-square').screenshot()
        await go(citizen, '/show')
        await fine(citizen, 'show', lang)
        await page.locator('input[type=file]').setInputFiles(picture('photo.png', photo))
        await page.locator('.bar .button').first().waitFor()
        await fine(citizen, 'asked to show', lang)
        await shoot(page, `show-phone-${lang}`)
        assert.equal(await page.locator('dl', { hasText: words(lang, '公民身份号码', 'Identity number') }).count(), 0) // not asked for, not shown
        if (await page.locator(`input[type=radio][value="${held.id}"]`).count()) await page.locator(`input[type=radio][value="${held.id}"]`).check()
        await page.getByRole('button', { name: words(lang, '同意出示', 'Agree and show') }).click()
        await page.locator('.mark.good').waitFor()
        await clerk.page.locator('.checked.good').waitFor()
        await fine(clerk, 'answered', lang)
        await shoot(clerk.page, `answered-desk-${lang}`, false)
        await clerk.page.getByText(words(lang, '由本人的密钥签名出示', 'Shown with the holder’s own signature')).waitFor()
        await go(citizen, '/wallet')
        await page.getByText(words(lang, '北京市：学历', 'Beijing: Education')).first().waitFor()
      }),
    )
  })

for (const lang of languages)
  test(`checking, ${lang}: by picture and by page; suspended at the desk in Hebei, and the next check says so; without the node the browser alone`, async () => {
    const held = await card()
    await as('133100', null, { size: 'phone', lang }, (anybody) =>
      as('130000', 'clerk', { size: 'desk', lang }, async (clerk) => {
        const { page } = anybody
        const citizen = await region.signedIn('120000', 'citizen')
        const fetched = async (tail) => Buffer.from(await (await fetch(`${citizen.base}/certificates/v1/wallet/${held.id}${tail}`, { headers: { Cookie: citizen.cookie } })).arrayBuffer())
        await go(clerk, '/wall') // any page of this origin can draw the picture
        const svg = (await fetched('.svg')).toString()
        const photo = Buffer.from(
          (
            await clerk.page.evaluate(async (text) => {
              const image = new Image()
              image.src = `data:image/svg+xml,${encodeURIComponent(text.replace('<svg ', '<svg width="700" height="700" '))}`
              await image.decode()
              const canvas = document.createElement('canvas')
              canvas.width = canvas.height = 700
              canvas.getContext('2d').drawImage(image, 0, 0)
              return canvas.toDataURL('image/png').split(',')[1]
            }, svg)
          ),
          'base64',
        )
        await go(anybody, '/check')
        await fine(anybody, 'check', lang)
        await shoot(page, `check-phone-${lang}`)
        const file = page.locator('input[type=file]')
        await file.setInputFiles(picture('photo.png', photo))
        await page.locator('.checked.good').waitFor()
        await fine(anybody, 'checked', lang)
        await page.getByText(words(lang, '浏览器也独立核验了签名', 'This browser checked the signature by itself too')).waitFor()
        await shoot(page, `checked-phone-${lang}`)
        const again = () => page.getByRole('button', { name: words(lang, '再核验一份', 'Check another') }).click()
        await again()
        const pdf = await fetched('.pdf')
        await file.setInputFiles(picture('page.pdf', pdf, 'application/pdf'))
        await page.locator('.checked.good').waitFor()
        await again()
        pdf[400] ^= 1
        await file.setInputFiles(picture('page.pdf', pdf, 'application/pdf'))
        await page.locator('.checked.bad').waitFor()
        await fine(anybody, 'refused', lang)
        await shoot(page, `refused-phone-${lang}`)
        await again()
        await file.setInputFiles(picture('nothing.png', await page.screenshot()))
        await page.locator('.fault').waitFor()
        /* the desk, by keyboard */
        await go(clerk, '/desk/certificates')
        await clerk.page.locator('tbody tr').first().waitFor()
        await fine(clerk, 'issued', lang)
        await shoot(clerk.page, `issued-desk-${lang}`, false)
        const row = clerk.page.locator('tbody tr', { hasText: held.number })
        await row.getByRole('button', { name: words(lang, '暂扣', 'Suspend') }).press('Enter')
        await clerk.page.locator('dialog[open]').waitFor()
        await tabTo(clerk.page, 'dialog button[type=submit]')
        await clerk.page.keyboard.press('Enter')
        await clerk.page.locator('#act-law-fault').waitFor()
        assert.equal(await clerk.page.evaluate(() => document.activeElement?.id), 'act-reason')
        await accessible(clerk.page, 'suspend with faults')
        await clerk.page.locator('#act-reason').fill(words(lang, '核查中', 'Under review'))
        await clerk.page.locator('#act-law').fill(words(lang, '行政许可法第六十九条', 'Article 69'))
        await shoot(clerk.page, `suspend-desk-${lang}`, false)
        await clerk.page.keyboard.press('Enter')
        await clerk.page.locator('dialog[open]').waitFor({ state: 'detached' })
        await row.getByText(words(lang, '已暂扣', 'Suspended')).waitFor()
        /* Xiong'an has been told */
        await go(anybody, '/check')
        await file.setInputFiles(picture('photo.png', photo))
        await page.locator('.checked.bad').waitFor()
        await page.getByText(words(lang, '证照已被暂扣', 'The certificate is suspended')).waitFor()
        /* and without the node */
        await again()
        await page.route('**/certificates:check', (route) => route.abort())
        await file.setInputFiles(picture('photo.png', photo))
        await page.getByText(words(lang, '签名真实，状态未核验', 'The signature is genuine; the status was not checked')).waitFor()
        await accessible(page, 'checked by the browser alone')
        await shoot(page, `check-alone-phone-${lang}`)
      }),
    )
  })

/* A film of the square for the browser's camera: a frame of grey levels, YUV 4:2:0. */
function film(svg, path) {
  const side = Number(/viewBox="0 0 (\d+)/.exec(svg)[1]), scale = Math.floor(440 / side), width = 640, height = 480
  const luma = Buffer.alloc(width * height, 235)
  const left = Math.floor((width - side * scale) / 2), top = Math.floor((height - side * scale) / 2)
  for (const [, x, y, run] of svg.matchAll(/M(\d+) (\d+)h(\d+)v1/g))
    for (let dy = 0; dy < scale; dy++) luma.fill(16, (top + y * scale + dy) * width + left + x * scale, (top + y * scale + dy) * width + left + (Number(x) + Number(run)) * scale)
  const frame = Buffer.concat([Buffer.from('FRAME\n'), luma, Buffer.alloc((width * height) / 2, 128)])
  writeFileSync(path, Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F10:1 Ip A1:1 C420jpeg\n`), frame, frame]))
}

test('checking by the camera', async () => {
  const held = await card()
  const citizen = await region.signedIn('120000', 'citizen')
  const svg = await (await fetch(`${citizen.base}/certificates/v1/wallet/${held.id}.svg`, { headers: { Cookie: citizen.cookie } })).text()
  const path = join(region.dir, 'square.y4m')
  film(svg, path)
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream', `--use-file-for-fake-video-capture=${path}`],
  })
  try {
    const v = await visitor(browser, region.nodes['133100'].portal, { size: 'phone', lang: 'zh' })
    await v.context.grantPermissions(['camera'])
    await go(v, '/check')
    await v.page.getByRole('button', { name: '打开摄像头' }).click()
    await v.page.locator('.checked.good').waitFor({ timeout: 20_000 })
    assert.equal(await v.page.locator('video').count(), 0) // the camera is off again
    assert.deepEqual(v.faults, [])
  } finally {
    await browser.close()
  }
})
