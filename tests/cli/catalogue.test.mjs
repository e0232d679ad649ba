// The catalogue as a harvester reads it (DCAT-AP in JSON-LD, paged, changed since), and one dataset with the fields of GB/T 21063; the
// divisions dataset itself; a large import through the command line.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Region, binary, root } from '../lib/region.mjs'

let r, portal
before(async () => {
  r = await Region.make({ people: 200 })
  await r.start('130000')
  portal = r.nodes['130000'].portal
})
after(() => r?.close())
const get = async (path) => {
  const answer = await fetch(portal + path)
  return { status: answer.status, type: answer.headers.get('content-type'), json: await answer.json() }
}

test('every dataset has what DCAT-AP demands, in both languages', async () => {
  const { status, type, json } = await get('/records/v1/catalogue.jsonld')
  assert.deepEqual([status, type], [200, 'application/ld+json'])
  assert.equal(json['@type'], 'dcat:Catalog')
  for (const prefix of ['dcat', 'dct', 'foaf', 'skos', 'xsd', 'hydra']) assert.match(json['@context'][prefix], /^http/)
  assert.ok(json['dcat:dataset'].length >= 9)
  for (const d of json['dcat:dataset']) {
    for (const both of ['dct:title', 'dct:description']) assert.deepEqual(d[both].map((w) => w['@language']), ['zh', 'en'], `${d['@id']} ${both}`)
    assert.match(d['dcat:theme']['@id'], /^urn:tonghui:sector:(human-resources|transport|environment|housing|geo-information|tourism|health|education|innovation)$/)
    assert.match(d['dct:accessRights']['@id'], /access-right\/(PUBLIC|RESTRICTED|NON_PUBLIC)$/)
    assert.match(d['dct:accrualPeriodicity']['@id'], /frequency\/[A-Z]+$/)
    assert.equal(d['dct:publisher']['@type'], 'foaf:Agent')
    assert.ok(d['dct:publisher']['foaf:name'].length === 2 && d['dct:identifier'] && d['dct:issued']['@value'] && d['dct:modified']['@value'] && d['dct:conformsTo'], d['@id'])
    assert.equal(d['dct:spatial']['dct:identifier'], 'GB/T 2260:130000')
    assert.ok(d['dcat:distribution'].length >= 1)
    for (const x of d['dcat:distribution']) assert.ok(x['dcat:accessURL']['@id'].startsWith('/'))
  }
  const open = json['dcat:dataset'].find((d) => d['@id'].endsWith(':divisions'))
  assert.deepEqual(open['dcat:distribution'].map((x) => x['dct:format']['@id'].split('/').at(-1)), ['JSON', 'CSV', 'GEOJSON'])
  assert.equal(open['dct:temporal']['dcat:startDate']['@value'], '2023-01-01')
})

test('a harvester pages through it, and asks only for what changed', async () => {
  const all = (await get('/records/v1/catalogue.jsonld')).json['dcat:dataset'].map((d) => d['@id'])
  const seen = []
  let path = '/records/v1/catalogue.jsonld?limit=2'
  for (let pages = 0; path && pages < 20; pages++) {
    const { json } = await get(path)
    assert.ok(json['dcat:dataset'].length <= 2)
    seen.push(...json['dcat:dataset'].map((d) => d['@id']))
    path = json['hydra:view']?.['hydra:next']['@id']
  }
  assert.deepEqual(seen, all)
  const since = async (when) => (await get(`/records/v1/catalogue.jsonld?modified_since=${encodeURIComponent(when)}`)).json['dcat:dataset'].map((d) => d['@id'])
  assert.deepEqual(await since('2000-01-01'), all)
  assert.deepEqual(await since('2100-01-01'), [])
  assert.ok(!(await since('2026-11-25')).some((id) => id.endsWith(':divisions')))
  assert.equal((await get('/records/v1/catalogue.jsonld?modified_since=yesterday')).status, 400)
})

test('one dataset says how and by which law it is shared, and for which items', async () => {
  const { json } = await get('/records/v1/catalogue/register-degrees')
  assert.deepEqual([json.kind, json.open, json.sharing.kind, json.resource_code], ['database', false, 'conditional', '305001/000001'])
  assert.match(json.sharing.basis.zh, /国发〔2016〕51号/)
  assert.ok(json.items.includes('HE-TALENT-CARD') && json.published)
  const name = json.fields.find((f) => f.name === 'name')
  assert.ok(name.type === 'string' && name.length > 0 && name.sensitive === false)
  assert.ok(json.fields.find((f) => f.name === 'id_number').sensitive)
  const open = (await get('/records/v1/catalogue/divisions')).json
  assert.deepEqual([open.kind, open.open, open.sharing.kind], ['file', true, 'unconditional'])
})

test('the divisions: counties and streets of three provinces, Xiong’an by its three counties, outlines where there are some', async () => {
  const { json } = await get('/records/v1/datasets/divisions.json')
  const of = (level) => json.items.filter((i) => i.level === level)
  assert.deepEqual(of('province').map((i) => i.code), ['110000', '120000', '130000'])
  const counted = (level) => ['11', '12', '13'].map((p) => of(level).filter((i) => i.code.startsWith(p)).length)
  assert.deepEqual(counted('county'), [16, 16, 190]) // Hebei's with its development zones, as statistics count them
  assert.deepEqual(counted('street'), [349, 299, 2365])
  assert.deepEqual(json.items.filter((i) => i.member === '133100' && i.level === 'county').map((i) => i.code).toSorted(), ['130629', '130632', '130638'])
  assert.ok(!json.items.some((i) => i.code.startsWith('1331')))
  const geo = (await get('/records/v1/datasets/divisions.geojson')).json
  assert.equal(geo.type, 'FeatureCollection')
  assert.ok(geo.features.length > 180 && geo.features.every((f) => f.geometry.type === 'MultiPolygon' && /^\d{6}$/.test(f.properties.code)))
  const csv = await (await fetch(`${portal}/records/v1/datasets/divisions.csv`)).text()
  assert.equal(csv.trim().split('\n').length - 1, json.items.length)
  assert.equal(csv, readFileSync(join(root, 'region/jingjinji/datasets/divisions.csv'), 'utf8'))
})

test('twenty thousand rows go in at a pace of a million in a minute', () => {
  const rows = join(r.dir, 'many.csv'), n = 20000
  const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
  const check = (text) => '10X98765432'[[...text].reduce((sum, c, i) => sum + Number(c) * weights[i], 0) % 11]
  const lines = ['id_number,name,household_region,status']
  for (let i = 0; i < n; i++) {
    const day = new Date(Date.UTC(1960, 0, 1 + (i % 15000))).toISOString().slice(0, 10).replaceAll('-', '')
    const text = `130102${day}${String(100 + Math.floor(i / 15000)).padStart(3, '0')}`
    lines.push(`${text}${check(text)},王某某,130000,normal`)
  }
  writeFileSync(rows, `${lines.join('\n')}\n`)
  const began = Date.now()
  const told = spawnSync(binary, ['register', 'import', 'population', rows, '--node', r.nodes['130000'].dir, '--json'], { encoding: 'utf8' })
  const seconds = (Date.now() - began) / 1000
  const summary = JSON.parse(told.stdout)
  assert.deepEqual([summary.kept, summary.refused], [n, 0], JSON.stringify(summary.report?.slice(0, 2)))
  // The build of tests, sanitizers and a busy machine are slower than the real thing: three times a minute's pace is the line here.
  assert.ok(seconds < 3 + (3 * 60 * n) / 1e6, `${n} rows took ${seconds} s`)
})
