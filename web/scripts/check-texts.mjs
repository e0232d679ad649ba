// check-texts.mjs: every key has both languages in the right script, the same {values} in both, and is used somewhere; no page says
// words of its own.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const src = fileURLToPath(new URL('../src/', import.meta.url))
const walk = (folder) =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    return statSync(path).isDirectory() ? walk(path) : [path]
  })
const files = walk(src).filter((path) => /\.(vue|ts)$/.test(path))
const code = files.filter((path) => !path.includes('/texts/')).map((path) => ({ path, text: readFileSync(path, 'utf8') }))
const all = code.map((each) => each.text).join('\n')
const faults = []
let keys = 0

/* The tables are plain data: read as JavaScript once `as const` is gone. */
async function tableOf(path) {
  const text = readFileSync(path, 'utf8').replace(/\} as const/g, '}')
  return import(`data:text/javascript,${encodeURIComponent(text)}`)
}
const chinese = /[\u4e00-\u9fff]/
const values = (text) => [...new Set([...text.matchAll(/\{(\w+)/g)].map((found) => found[1]))].sort().join()
/* A template such as `state.${x}` uses every key that begins with "state." and ends as the template ends. */
const patterns = [...all.matchAll(/\bt?\(?`([^`$]*)\$\{[^}]*\}([^`$]*)`/g)].map((found) => [found[1], found[2]])

const languageNames = new Set(['lang.switch', 'lang.short'])
for (const path of files.filter((each) => each.includes('/texts/'))) {
  const tables = await tableOf(path)
  for (const [table, entries] of Object.entries(tables))
    for (const [key, pair] of Object.entries(entries)) {
      keys++
      const name = `${table} ${key}`
      if (!Array.isArray(pair) || pair.length !== 2 || pair.some((text) => typeof text !== 'string' || !text.trim())) {
        faults.push(`${name}: needs a Chinese and an English text`)
        continue
      }
      const [zh, en] = pair
      if (!languageNames.has(key)) {
        if (!chinese.test(zh) && /[a-z]{3}/i.test(zh.replace(/\{[^}]*\}/g, ''))) faults.push(`${name}: the Chinese text has no Chinese`)
        if (chinese.test(en)) faults.push(`${name}: the English text has Chinese in it`)
        if (/[，。：；（）]/.test(en)) faults.push(`${name}: the English text has Chinese punctuation`)
      }
      if (values(zh) !== values(en)) faults.push(`${name}: {values} differ: ${values(zh)} / ${values(en)}`)
      const used = all.includes(`'${key}'`) || patterns.some(([head, tail]) => head && key.startsWith(head) && key.endsWith(tail))
      if (!used) faults.push(`${name}: not used`)
    }
}
/* Words in templates outside the tables: Chinese letters in markup, save comments and the route titles, which are pairs. */
for (const { path, text } of code) {
  if (!path.endsWith('.vue')) continue
  const template = /<template>([\s\S]*)<\/template>/.exec(text)?.[1]?.replace(/<!--[\s\S]*?-->/g, '') ?? ''
  const found = template.match(/[\u4e00-\u9fff]+/g)?.filter((word) => word !== '中文')
  if (found?.length) faults.push(`${path.slice(src.length)}: words in the template: ${found.join(' ')}`)
}
if (faults.length) {
  console.error(faults.join('\n'))
  console.error(`${faults.length} faults in ${keys} texts`)
  process.exit(1)
}
console.log(`${keys} texts in Chinese and English`)
