// lib.mjs: Chromium for the walks. Every page is watched: a request that leaves the region, an error in the console, a failed answer that no
// test announced, is a fault of the test that opened it.
import { createRequire } from 'node:module'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

export const root = fileURLToPath(new URL('../../', import.meta.url))
export const shots = join(root, 'build/browser')
export const axeSource = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
export const sizes = { phone: { width: 390, height: 844 }, desk: { width: 1440, height: 900 }, wall: { width: 3840, height: 1080 } }
const flags = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
]

export function launch() {
  mkdirSync(shots, { recursive: true })
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags })
}

/* A visitor: its own cookies, size and language. `faults` collects what must not happen; `allow` names answers that a test provokes. */
export async function visitor(browser, base, { size = 'desk', lang = 'zh', still = false, scale = 1, phone = size === 'phone' } = {}) {
  const context = await browser.newContext({
    baseURL: base,
    viewport: sizes[size],
    deviceScaleFactor: scale,
    locale: lang === 'zh' ? 'zh-CN' : 'en-GB',
    timezoneId: 'Asia/Shanghai',
    reducedMotion: still ? 'reduce' : 'no-preference',
    hasTouch: phone,
    isMobile: phone,
    serviceWorkers: 'block',
  })
  await context.addCookies([{ name: 'tonghui-lang', value: lang, url: base }])
  const faults = []
  const allowed = []
  context.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(base) && !/^(data|blob|about):/.test(url)) faults.push(`left the origin: ${url}`)
  })
  context.on('response', (response) => {
    if (response.status() < 400) return
    const said = `${response.request().method()} ${new URL(response.url()).pathname} ${response.status()}`
    const at = allowed.findIndex((pattern) => pattern.test(said))
    if (at < 0) faults.push(said)
  })
  context.on('console', (message) => {
    if (!['error', 'warning'].includes(message.type())) return
    if (/Failed to load resource/.test(message.text())) return // told by the response above
    faults.push(`console: ${message.text()}`)
  })
  context.on('weberror', (error) => faults.push(`page: ${error.error().stack ?? error.error()}`))
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  return { context, page, faults, allow: (pattern) => allowed.push(pattern), base, lang }
}

/* Sign in through the page's own request, so that cookie and token are the browser's. */
export async function signIn(v, login, password = 'tonghui-demo') {
  const answer = await v.context.request.post('/people/v1/session', { data: { login, password } })
  if (!answer.ok()) throw new Error(`sign-in as ${login}: ${answer.status()} ${await answer.text()}`)
}

/* Until the page has its data: no skeleton lines, fonts there, two frames drawn. */
export async function settled(page) {
  await page.waitForFunction(() => !document.querySelector('.waiting') && document.querySelector('h1, h2'))
  await page.evaluate(async () => {
    await document.fonts.ready
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
  })
}

/* The whole page in one window: what sticks to the window's edge stands where it would at the end of the page. */
export async function shoot(page, name, whole = true) {
  const window = page.viewportSize()
  if (whole) {
    const height = await page.evaluate(() => document.documentElement.scrollHeight)
    if (height > window.height) await page.setViewportSize({ width: window.width, height: Math.min(height, 6000) })
  }
  await page.screenshot({ path: join(shots, `${name}.png`) })
  await page.setViewportSize(window)
}
