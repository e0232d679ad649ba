// check-source.mjs: small rules that a type checker does not know: nothing that a strict CSP would block, no outside address, no
// file too long, no raw HTML.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))
const walk = (folder) =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    return statSync(path).isDirectory() ? walk(path) : [path]
  })
const faults = []
const rules = [
  [/\bv-html\b|\.innerHTML\b/, 'raw HTML'],
  [/<[^>]*\sstyle="/, 'a style attribute (blocked by the content security policy)'],
  [/\beval\(|new Function\(/, 'code from text'],
  [/\bon(?:click|load|error)="/, 'an inline handler'],
  [/https?:\/\/(?!www\.w3\.org\/2000\/svg)/, 'an outside address'],
  [/console\.log|debugger/, 'a leftover of debugging'],
  [/@ts-ignore|@ts-nocheck|\bas any\b|: any\b/, 'a hole in the types'],
]
for (const path of [...walk(join(root, 'src')), join(root, 'index.html')]) {
  if (!/\.(vue|ts|css|html)$/.test(path)) continue
  const text = readFileSync(path, 'utf8')
  const name = path.slice(root.length)
  const lines = text.split('\n').length
  if (lines > 800) faults.push(`${name}: ${lines} lines`)
  for (const [rule, what] of rules) {
    const line = text.split('\n').findIndex((each) => rule.test(each))
    if (line >= 0) faults.push(`${name}:${line + 1}: ${what}`)
  }
}
const lock = readFileSync(join(root, 'package-lock.json'), 'utf8')
if (/"resolved"/.test(lock)) faults.push('package-lock.json: names a registry')
if (/"hasInstallScript"/.test(lock)) faults.push('package-lock.json: a package wants an install script')
if (faults.length) {
  console.error(faults.join('\n'))
  process.exit(1)
}
console.log('sources keep the house rules')
