// Every look is found again, however many there were: the access log's fresh rows and its merged runs tell one story.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Region, sampleOf, until } from '../lib/region.mjs'

let r
before(async () => {
  r = await Region.make({ people: 200 })
  await r.startAll()
})
after(() => r?.close())

test('a person among twenty thousand looks sees each of hers once, page by page, also after a restart', async () => {
  const citizen = await r.signedIn('120000', 'citizen')
  const { certificate_number } = await sampleOf(citizen)
  const rows = (code, name) => {
    const dir = join(r.dir, `people-${code}`)
    r.run('generate', dir, '--code', code, '--region', r.regionDir, '--people', '200', '--seed', '20260101')
    return readFileSync(join(dir, `${name}.jsonl`), 'utf8').trim().split('\n').map((line) => JSON.parse(line))
  }
  const her = rows('110000', 'degrees').find((row) => row.certificate_number === certificate_number).id_number
  const others = rows('130000', 'population').map((row) => row.id_number).filter((number) => number !== her)
  const system = r.keyed('110000')
  const ask = (id_number) => ({ provider: '130000', register: 'population', operation: 'verify', key: { id_number }, claims: { status: 'normal' }, purpose: { item: 'identity-check' } })
  const mine = new Set()
  for (let call = 0; call < 21; call++) {
    const asks = Array.from({ length: 990 }, (_, i) => ask(others[(call * 990 + i) % others.length]))
    if (call % 5 === 0) for (let k = 0; k < 3; k++) asks.splice(call * 40 + k, 0, ask(her)) // 15 looks before, between and after the merges
    const answer = await system.post('/exchange/v1/ask:batch', { asks })
    assert.equal(answer.status, 200, answer.text.slice(0, 400))
    answer.json.items.forEach((item, i) => {
      assert.ok(item.receipt, JSON.stringify(item))
      if (asks[i].key.id_number === her) mine.add(item.id)
    })
  }
  assert.equal(mine.size, 15)
  const seen = async () => {
    const found = []
    for (let before = ''; before !== null; ) {
      const page = (await citizen.get(`/exchange/v1/looks${before && `?before=${encodeURIComponent(before)}`}`)).json
      assert.deepEqual(page.unreachable, [])
      found.push(...page.items.filter((l) => l.provider.code === '130000' && l.register !== 'access-log'))
      before = page.next ?? null
    }
    return found
  }
  const looks = await seen()
  assert.deepEqual(looks.map((l) => l.message).toSorted(), [...mine].toSorted())
  assert.ok(looks.every((l) => l.receipt && l.consumer.code === '110000' && l.office && l.fields[0] === 'status'), JSON.stringify(looks[0]))
  assert.ok(looks.every((l) => l.basis.kind === 'duty' && l.basis.law.zh.includes('条')), 'a look without consent tells the article that permits it')
  await r.stop('130000')
  await r.start('130000')
  await until('the same looks', async () => (await seen()).length === 15)
})
