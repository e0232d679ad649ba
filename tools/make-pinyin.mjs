#!/usr/bin/env node
// make-pinyin.mjs: makes region/jingjinji/words/pinyin.txt from a package of the npm registry, by hand:
//   npm install --no-save pinyin-pro@3.29.4 && node tools/make-pinyin.mjs
// Source: pinyin-pro (MIT), restricted to the 6,763 characters of GB/T 2312 levels 1 and 2. A line a syllable without tone: the characters whose usual
// reading it is.
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const { pinyin } = createRequire(process.cwd() + '/')('pinyin-pro')
const gb = new TextDecoder('gb2312')
const syllables = {}
let n = 0
for (let high = 0xb0; high <= 0xf7; high++)
  for (let low = 0xa1; low <= 0xfe; low++) {
    const c = gb.decode(Uint8Array.of(high, low))
    if (c.length !== 1 || c === '\ufffd' || !/\p{Script=Han}/u.test(c)) continue
    const read = pinyin(c, { toneType: 'none', v: true })
    if (!/^[a-z]+$/.test(read)) continue
    ;(syllables[read] ??= []).push(c)
    n++
  }
const lines = Object.keys(syllables).sort().map((s) => `${s} ${syllables[s].join('')}`)
writeFileSync(new URL('../region/jingjinji/words/pinyin.txt', import.meta.url), `# pinyin-pro 3.29.4 (MIT), characters of GB/T 2312\n${lines.join('\n')}\n`)
console.log(`${n} characters, ${lines.length} syllables`)
