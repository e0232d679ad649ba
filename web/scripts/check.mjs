// check.mjs: types, texts and sources of the console; the last line counts them.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const checks = [
  ['types', 'node_modules/vue-tsc/bin/vue-tsc.js', '--noEmit'],
  ['texts', 'scripts/check-texts.mjs'],
  ['sources', 'scripts/check-source.mjs'],
]
let failed = 0
for (const [name, ...words] of checks) {
  const done = spawnSync(process.execPath, words, { cwd: root, stdio: 'inherit' })
  if (done.status !== 0) failed++
  console.log(`${done.status === 0 ? 'ok' : 'not ok'} ${name}`)
}
console.log(`${checks.length - failed} passed, ${failed} failed`)
process.exit(failed ? 1 : 0)
