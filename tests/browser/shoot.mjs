// shoot.mjs: pictures of every page at three sizes in two languages, for people to look at: node shoot.mjs BASE [PATTERN]
// where BASE is the port base of a region that runs (`tonghui up --port-base BASE`).
import { launch, shoot, settled, signIn, visitor } from './lib.mjs'

const base = Number(process.argv[2] ?? 8600)
const wanted = new RegExp(process.argv[3] ?? '.')
const portal = { 110000: base + 10, 120000: base + 20, 130000: base + 30, 133100: base + 40 }
/* A page of something that exists: its first one, as the node lists them to who is signed in. */
const first = (list, path, at = (each) => each.id) => async (v) => {
  const { items } = await (await v.context.request.get(list)).json()
  return items.length ? path + at(items[0]) : null
}
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
  ['case', '120000', 'citizen', first('/cases/v1/cases?view=mine', '/cases/')],
  ['wallet', '120000', 'citizen', '/wallet'],
  ['certificate', '120000', 'citizen', first('/certificates/v1/wallet', '/wallet/')],
  ['show', '120000', 'citizen', '/show'],
  ['me', '120000', 'citizen', '/me'],
  ['denied', '120000', 'citizen', '/operator'],
  ['check', '120000', null, '/check'],
  ['lost', '120000', null, '/nowhere'],
  ['desk', '130000', 'clerk', '/desk'],
  ['desk-case', '130000', 'clerk', first('/cases/v1/cases?view=all', '/desk/', (each) => `${each.id}?view=all`)],
  ['counter', '130000', 'clerk', '/desk/counter'],
  ['issued', '130000', 'clerk', '/desk/certificates'],
  ['ask', '130000', 'clerk', '/desk/ask'],
  ['consults', '130000', 'clerk', '/desk/consults'],
  ['office', '130000', 'head', '/desk/office'],
  ['members', '110000', 'operator', '/operator'],
  ['trust', '110000', 'operator', '/operator/trust'],
  ['grants', '110000', 'operator', '/operator/grants'],
  ['links', '110000', 'operator', '/operator/links'],
  ['requests', '110000', 'operator', '/operator/requests'],
  ['journal', '110000', 'auditor', '/operator/journal'],
  ['registers', '110000', 'operator', '/operator/registers'],
  ['accounts', '110000', 'operator', '/operator/accounts'],
  ['totp', '110000', 'operator', '/me/totp'],
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
      if (!wanted.test(file) || (size === 'wall' && !['wall', 'home', 'desk', 'journal', 'tour', 'office', 'desk-case', 'looks'].includes(name))) continue
      const who = `${node} ${login}`
      if (!open.has(who)) {
        const v = await visitor(browser, `http://127.0.0.1:${portal[node]}`, { size, lang })
        if (login) await signIn(v, login)
        open.set(who, v)
      }
      const v = open.get(who)
      const to = typeof path === 'string' ? path : await path(v)
      if (!to) {
        console.log('nothing to show', file)
        continue
      }
      await v.page.goto(to)
      await settled(v.page).catch(() => console.log('not settled', file))
      if (name === 'wall') await v.page.waitForTimeout(1500)
      await shoot(v.page, file, !['wall', 'desk', 'desk-case'].includes(name))
      if (v.faults.length) console.log(file, v.faults.splice(0))
    }
    for (const v of open.values()) await v.context.close()
  }
await browser.close()
