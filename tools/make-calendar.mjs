#!/usr/bin/env node
// make-calendar.mjs: makes region/jingjinji/calendar/working-days.json from a package of the npm registry, by hand, each time the State Council's
// office has published another year's arrangement:
//   npm install --no-save chinese-days@1.5.7 && node tools/make-calendar.mjs
// Source: chinese-days (MIT), which follows the yearly notices of the General Office of the State Council on holidays.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(process.cwd() + '/')
const entry = require.resolve('chinese-days')
const folder = entry.slice(0, entry.lastIndexOf('dist'))
const { version } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8'))
const { holidays, workdays } = JSON.parse(readFileSync(`${folder}dist/chinese-days.json`, 'utf8'))

const weekend = (date) => [0, 6].includes(new Date(`${date}T00:00:00Z`).getUTCDay())
const years = {}
const named = (list, wanted) => {
  for (const [date, words] of Object.entries(list)) {
    const [en, zh] = words.split(',')
    const year = (years[date.slice(0, 4)] ??= { rest: {}, work: {} })
    // A weekend that is off anyway says nothing; only what differs from Monday to Friday is written.
    if (weekend(date) === wanted) year[wanted ? 'work' : 'rest'][date.slice(5)] = `${zh}|${en}`
  }
}
named(holidays, false)
named(workdays, true)

const sorted = (o) => Object.fromEntries(Object.entries(o).sort(([a], [b]) => (a < b ? -1 : 1)))
const rows = Object.entries(sorted(years)).map(([year, { rest, work }]) =>
  `    ${JSON.stringify(year)}: {"rest": ${JSON.stringify(Object.keys(sorted(rest)))}, "work": ${JSON.stringify(Object.keys(sorted(work)))}}`)
const out = new URL('../region/jingjinji/calendar/', import.meta.url)
mkdirSync(out, { recursive: true })
writeFileSync(new URL('working-days.json', out), `{
  "title": {"zh": "工作日历", "en": "Working days"},
  "source": {
    "zh": "国务院办公厅历年关于部分节假日安排的通知，经 npm chinese-days ${version}（MIT）整理",
    "en": "Yearly notices of the General Office of the State Council on holidays, as gathered by npm chinese-days ${version} (MIT)"
  },
  "note": {
    "zh": "只列与“周一至周五上班”不同的日子：rest 为放假的周一至周五，work 为上班的周六周日。未列出的年份尚未公布，推算结果标明“暂定”",
    "en": "Only days that differ from Monday to Friday: rest = weekdays off, work = weekend days worked. Years not listed are not published; what reaches into them is provisional"
  },
  "law": {"zh": "行政许可法第八十二条（期限以工作日计算，不含法定节假日）", "en": "Administrative Licensing Law, article 82: time limits count working days"},
  "years": {
${rows.join(',\n')}
  }
}
`)
console.log(`${rows.length} years`)
