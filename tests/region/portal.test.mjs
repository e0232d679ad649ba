// What the portal promises to every caller: metrics that Prometheus reads, live events, static files with validators and compressed variants,
// request ids, open data in its formats, and API keys.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import http from 'node:http'
import { Region, root, startCase, until } from '../lib/region.mjs'

const built = existsSync(join(root, 'web/dist/index.html'))
let r, anyone
before(async () => {
  r = await Region.make()
  await r.startAll()
  anyone = r.client('120000')
})
after(() => r?.close())

/* Bytes as they come: fetch would unpack them. */
const raw = (path, headers = {}, method = 'GET') =>
  new Promise((done, failed) => {
    const q = http.request({ host: '127.0.0.1', port: r.nodes['120000'].port, path, method, headers }, (s) => {
      const pieces = []
      s.on('data', (piece) => pieces.push(piece))
      s.on('end', () => done({ status: s.statusCode, headers: s.headers, body: Buffer.concat(pieces) }))
    })
    q.on('error', failed)
    q.end()
  })

test('/metrics is the text format 0.0.4, to the letter', async () => {
  await startCase(await r.signedIn('120000', 'citizen'))
  await until('a request to be counted', async () => /operation="startCase"/.test((await anyone.get('/metrics')).text))
  await until('a second to pass', async () => /tonghui_peer_up/.test((await anyone.get('/metrics')).text))
  const answer = await anyone.get('/metrics')
  assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  assert.ok(answer.text.endsWith('\n'))
  const types = new Map()
  const seen = new Set()
  const series = new Map()
  let family = null
  for (const line of answer.text.slice(0, -1).split('\n')) {
    let m
    if ((m = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/.exec(line))) {
      assert.ok(!types.has(m[1]), `${m[1]} is declared once`)
      types.set((family = m[1]), m[2])
    } else if ((m = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line))) {
      assert.ok(!types.has(m[1]))
    } else {
      m = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([^}]*)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(line)
      assert.ok(m, `not a sample: ${line}`)
      const [, name, labels = '', value] = m
      if (labels) for (const label of labels.match(/[^,]+="(?:[^"\\]|\\.)*"/g)) assert.match(label, /^[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"$/)
      const base = types.get(family) === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') : name
      assert.equal(base, family, `${line} stands with its family`)
      if (types.get(family) === 'counter') assert.ok(name.endsWith('_total') && Number(value) >= 0, line)
      assert.ok(!seen.has(`${name}{${labels}}`), `twice: ${line}`)
      seen.add(`${name}{${labels}}`)
      series.set(`${name}{${labels}}`, Number(value))
    }
  }
  // Histograms: buckets ascend, the last is +Inf and equals the count.
  for (const [name, type] of types) {
    if (type !== 'histogram') continue
    const counts = [...series].filter(([k]) => k.startsWith(`${name}_count{`) || k === `${name}_count{}`)
    assert.ok(counts.length)
    for (const [key, total] of counts) {
      const labels = key.slice(key.indexOf('{') + 1, -1)
      const buckets = [...series].filter(([k]) => k.startsWith(`${name}_bucket{${labels}${labels ? ',' : ''}le=`)).map(([k, v]) => [/le="([^"]+)"/.exec(k)[1], v])
      assert.equal(buckets.at(-1)[0], '+Inf')
      assert.equal(buckets.at(-1)[1], total)
      for (let i = 1; i < buckets.length; i++) assert.ok(buckets[i][1] >= buckets[i - 1][1] && (buckets[i][0] === '+Inf' || Number(buckets[i][0]) > Number(buckets[i - 1][0])))
    }
  }
  for (const name of ['tonghui_http_requests_total', 'tonghui_http_request_seconds', 'tonghui_peer_up', 'tonghui_peer_skew_microseconds', 'tonghui_outbox_waiting', 'tonghui_outbox_oldest_seconds', 'tonghui_journal_entries', 'process_resident_memory_bytes']) assert.ok(types.has(name), name)
})

test('the live stream: what happens is told as it happens, as server-sent events', async () => {
  const stop = new AbortController()
  const response = await fetch(`${r.nodes['120000'].portal}/operations/v1/stream`, { signal: stop.signal })
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
  assert.equal(response.headers.get('cache-control'), 'no-store')
  let text = ''
  ;(async () => {
    for await (const piece of response.body) text += Buffer.from(piece).toString()
  })().catch(() => {})
  await until('the beginning', async () => /^retry: \d+\n\n/.test(text))
  const begun = text.length
  await startCase(await r.signedIn('120000', 'citizen'))
  await until('a message to be told', async () => /event: message\ndata: \{"from":"120000".*\}\n\n/.test(text.slice(begun)))
  for (const block of text.split('\n\n').slice(0, -1)) for (const line of block.split('\n')) assert.match(line, /^(event|data|retry|id): /)
  for (const block of text.matchAll(/data: (.*)\n/g)) JSON.parse(block[1])
  stop.abort()
})

test('a slow listener is cut off and holds nobody up; many listeners hear the same', async () => {
  const stops = []
  const texts = Array.from({ length: 30 }, () => '')
  await Promise.all(texts.map(async (_, i) => {
    const stop = new AbortController()
    stops.push(stop)
    const response = await fetch(`${r.nodes['120000'].portal}/operations/v1/stream`, { signal: stop.signal })
    ;(async () => {
      for await (const piece of response.body) texts[i] += Buffer.from(piece).toString()
    })().catch(() => {})
  }))
  const started = await startCase(await r.signedIn('120000', 'citizen'))
  assert.equal(started.status, 201)
  await until('all to hear', async () => texts.every((t) => /event: message/.test(t)))
  stops.forEach((stop) => stop.abort())
  await until('a request after them', async () => (await anyone.get('/healthz')).status === 200)
})

test('static files: strong validators, compressed variants, and the one page that answers for its routes', { skip: !built && 'the console is not built' }, async () => {
  const asset = `/assets/${readdirSync(join(root, 'web/dist/assets')).find((f) => f.endsWith('.js') && existsSync(join(root, 'web/dist/assets', `${f}.br`)))}`
  const file = readFileSync(join(root, 'web/dist', asset))
  const plain = await raw(asset)
  assert.equal(plain.status, 200)
  assert.deepEqual(plain.body, file)
  assert.equal(plain.headers['content-encoding'], undefined)
  const br = await raw(asset, { 'Accept-Encoding': 'gzip, br' })
  const gz = await raw(asset, { 'Accept-Encoding': 'gzip' })
  assert.deepEqual([br.headers['content-encoding'], gz.headers['content-encoding']], ['br', 'gzip'])
  assert.deepEqual(brotliDecompressSync(br.body), file)
  assert.deepEqual(gunzipSync(gz.body), file)
  assert.equal((await raw(asset, { 'Accept-Encoding': 'br;q=0, gzip' })).headers['content-encoding'], 'gzip', 'what is refused is not sent')
  const tags = [plain, br, gz].map((a) => a.headers.etag)
  assert.equal(new Set(tags).size, 3, 'each variant has its own')
  for (const tag of tags) assert.match(tag, /^"[^"]+"$/)
  for (const a of [plain, br, gz]) assert.match(a.headers.vary, /Accept-Encoding/)
  assert.match(plain.headers['cache-control'], /immutable/)
  const known = await raw(asset, { 'If-None-Match': tags[0] })
  assert.deepEqual([known.status, known.body.length], [304, 0])
  assert.equal((await raw(asset, { 'If-None-Match': tags[1] })).status, 200, 'another variant\'s is not it')
  const page = await raw('/case/anything', { Accept: 'text/html' })
  assert.equal(page.status, 200)
  assert.match(page.headers['content-security-policy'], /default-src 'self'/)
  assert.equal(page.headers['cache-control'], 'no-cache')
  assert.equal((await raw('/assets/nothing.js')).status, 404)
  const head = await raw(asset, {}, 'HEAD')
  assert.deepEqual([head.status, head.body.length, Number(head.headers['content-length'])], [200, 0, file.length])
})

test('answers of the interface have validators too', async () => {
  const first = await raw('/records/v1/datasets/divisions.json')
  assert.equal(first.status, 200)
  const again = await raw('/records/v1/datasets/divisions.json', { 'If-None-Match': first.headers.etag })
  assert.deepEqual([again.status, again.body.length], [304, 0])
})

test('every answer carries the id of its request, the same that its problem names', async () => {
  const ids = new Set()
  for (const path of ['/healthz', '/records/v1/catalogue', '/cases/v1/cases', '/nothing/here']) {
    const answer = await anyone.get(path)
    const id = answer.headers.get('x-request-id')
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, path)
    if (answer.status >= 400) assert.equal(answer.json.instance, `urn:uuid:${id}`)
    ids.add(id)
  }
  assert.equal(ids.size, 4)
})

test('open data in its three formats says the same', async () => {
  const [json, csv, geo] = await Promise.all(['json', 'csv', 'geojson'].map((f) => anyone.get(`/records/v1/datasets/divisions.${f}`)))
  for (const a of [json, csv, geo]) assert.equal(a.status, 200, a.text.slice(0, 200))
  assert.match(csv.headers.get('content-type'), /^text\/csv/)
  assert.match(geo.headers.get('content-type'), /^application\/geo\+json/)
  const rows = csv.text.replace(/^\ufeff/, '').trim().split(/\r?\n/)
  const list = Array.isArray(json.json) ? json.json : Object.values(json.json).find(Array.isArray)
  assert.equal(rows.length - 1, list.length)
  assert.ok(list.length > 100)
  assert.equal(geo.json.type, 'FeatureCollection')
  const codes = new Set(list.map((d) => d.code))
  for (const f of geo.json.features) assert.ok(codes.has(f.properties.code), JSON.stringify(f.properties))
  assert.equal((await anyone.get('/records/v1/datasets/nothing.json')).status, 404)
  assert.equal((await anyone.get('/records/v1/datasets/divisions.xml')).status, 404)
})
