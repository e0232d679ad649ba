// shoot.mjs: pictures of every page at three sizes in two languages, for people to look at: node shoot.mjs BASE [PATTERN]
// where BASE is the port base of a region that runs (`tonghui up --port-base BASE`).
import { launch, shoot, settled, signIn, visitor } from './lib.mjs'

const base = Number(process.argv[2] ?? 8600)
const wanted = new RegExp(process.argv[3] ?? '.')
const portal = { 110000: base + 10, 120000: base + 20, 130000: base + 30, 133100: base + 40 }
const pages = [
  ['home', '120000', null, '/'],
  ['sign-in', '120000', null, '/sign-in'],
  ['items', '120000', null, '/items'],
  ['item', '120000', null, '/items/HE-TALENT-CARD'],
  ['item-papers', '120000', null, '/items/TJ-OVERSIZE'],
  ['home-citizen', '120000', 'citizen', '/'],
  ['apply', '120000', 'citizen', '/apply/HE-TALENT-CARD'],
  ['cases', '120000', 'citizen', '/cases'],
  ['looks', '120000', 'citizen', '/looks'],
  ['me', '120000', 'citizen', '/me'],
  ['lost', '120000', null, '/nowhere'],
  ['desk', '130000', 'clerk', '/desk'],
  ['counter', '130000', 'clerk', '/desk/counter'],
  ['members', '110000', 'operator', '/operator'],
  ['trust', '110000', 'operator', '/operator/trust'],
  ['grants', '110000', 'operator', '/operator/grants'],
  ['links', '110000', 'operator', '/operator/links'],
  ['journal', '110000', 'auditor', '/operator/journal'],
  ['registers', '110000', 'operator', '/operator/registers'],
  ['accounts', '110000', 'operator', '/operator/accounts'],
  ['me-staff', '110000', 'operator', '/me'],
  ['catalogue', '110000', null, '/catalogue'],
  ['dataset-open', '110000', null, '/catalogue/divisions'],
  ['dataset', '110000', 'citizen', '/catalogue/register-degrees'],
  ['wall', '110000', null, '/wall'],
  ['tour', '120000', null, '/tour'],
]
const browser = await launch()
for (const size of ['desk', 'phone', 'wall'])
  for (const lang of ['zh', 'en']) {
    const open = new Map()
    for (const [name, node, login, path] of pages) {
      const file = `${name}-${size}-${lang}`
      if (!wanted.test(file) || (size === 'wall' && !['wall', 'home', 'desk', 'journal', 'tour'].includes(name))) continue
      const who = `${node} ${login}`
      if (!open.has(who)) {
        const v = await visitor(browser, `http://127.0.0.1:${portal[node]}`, { size, lang })
        if (login) await signIn(v, login)
        open.set(who, v)
      }
      const v = open.get(who)
      await v.page.goto(path)
      await settled(v.page).catch(() => console.log('not settled', file))
      if (name === 'wall') await v.page.waitForTimeout(1500)
      await shoot(v.page, file, name !== 'wall' && name !== 'desk')
      if (v.faults.length) console.log(file, v.faults.splice(0))
    }
    for (const v of open.values()) await v.context.close()
  }
await browser.close()
