// compress.mjs: beside every text file of dist a .br and a .gz, so that the node serves bytes and computes nothing.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))
let files = 0
let plain = 0
let small = 0
function walk(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) {
      walk(path)
      continue
    }
    if (!/\.(js|css|html|svg|json|txt|map)$/.test(name)) continue
    const bytes = readFileSync(path)
    if (bytes.length < 256) continue
    const br = brotliCompressSync(bytes, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
    })
    const gz = gzipSync(bytes, { level: 9 })
    if (br.length < bytes.length) writeFileSync(`${path}.br`, br)
    if (gz.length < bytes.length) writeFileSync(`${path}.gz`, gz)
    files++
    plain += bytes.length
    small += br.length
  }
}
walk(dist)
console.log(`${files} files, ${(plain / 1024).toFixed(0)} kB, ${(small / 1024).toFixed(0)} kB as brotli`)
