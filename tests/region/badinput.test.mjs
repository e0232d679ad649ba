// What a hostile or careless caller sends to the portal: the right problem, in both languages, and nothing changed.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Region, sampleOf, sleep, until } from '../lib/region.mjs'

let r, citizen, clerk, operator, anyone
before(async () => {
  r = await Region.make()
  await r.startAll()
  citizen = await r.signedIn('120000', 'citizen')
  clerk = await r.signedIn('120000', 'clerk')
  operator = await r.signedIn('120000', 'operator')
  anyone = r.client('120000')
})
after(() => r?.close())

const problem = (answer, status) => {
  const wanted = Array.isArray(status) ? status : [status]
  assert.ok(wanted.includes(answer.status), `${answer.status} ${answer.text.slice(0, 300)}`)
  assert.equal(answer.headers.get('content-type'), 'application/problem+json')
  assert.match(answer.json.type, /^urn:tonghui:problem:/)
  assert.ok(answer.json.title_zh && answer.json.title_en)
}
const bodies = {
  'not JSON': 'hello',
  'an empty body': '',
  'an array': '[]',
  'a duplicate key': '{"item":"HE-TALENT-CARD","item":"X","form":{},"consents":[]}',
  'deep nesting': `{"item":${'['.repeat(5000)}${']'.repeat(5000)}}`,
  'broken UTF-8': Buffer.from([0x7b, 0x22, 0x69, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0x22, 0x7d]),
  'a lone surrogate': '{"item":"\\ud800","form":{},"consents":[]}',
  'a NUL': '{"item":"HE\\u0000","form":{},"consents":[]}',
  'a huge number': `{"item":1e999,"form":{},"consents":[]}`,
  'wrong types': '{"item":7,"form":"x","consents":{}}',
  'missing members': '{}',
  'unknown members': '{"item":"HE-TALENT-CARD","form":{},"consents":[],"admin":true}',
}
for (const [what, body] of Object.entries(bodies))
  test(`a case from ${what} is refused and nothing is kept`, async () => {
    const before_ = (await citizen.get('/cases/v1/cases?view=mine')).json.items.length
    problem(await citizen.post('/cases/v1/cases', body), [400, 404, 413])
    assert.equal((await citizen.get('/cases/v1/cases?view=mine')).json.items.length, before_)
  })

test('each field of a form is pointed at', async () => {
  const sample = await sampleOf(citizen)
  const wrong = await citizen.post('/cases/v1/cases', { item: 'HE-TALENT-CARD', form: { ...sample, level: '神童', phone: 5, extra: 'x', certificate_number: 'a\u202eb' }, consents: ['degree', 'household'] })
  problem(wrong, 400)
  const pointers = wrong.json.errors.map((e) => e.pointer)
  for (const p of ['/form/level', '/form/phone', '/form/certificate_number']) assert.ok(pointers.includes(p), `${p} in ${pointers}`)
  const coded = async (change) => (await citizen.post('/cases/v1/cases', { item: 'HE-TALENT-CARD', form: { ...sample, ...change }, consents: ['degree', 'household'] })).json.errors?.map((e) => `${e.pointer} ${e.code}`)
  assert.deepEqual(await coded({ phone: 'abcdefghijk' }), ['/form/phone pattern'])
  assert.deepEqual(await coded({ phone: '1380013800' }), ['/form/phone too-short'])
  assert.deepEqual(await coded({ employer: '单'.repeat(61) }), ['/form/employer too-long'])
  assert.deepEqual(await coded({ certificate_number: '' }), ['/form/certificate_number too-short', '/form/certificate_number required'])
  const none = await citizen.post('/cases/v1/cases', { item: 'HE-TALENT-CARD', form: sample, consents: ['degree'] })
  problem(none, 400)
  assert.equal(none.json.errors[0].pointer, '/consents')
  problem(await citizen.post('/cases/v1/cases', { item: 'NO-SUCH', form: {}, consents: [] }), 400)
})

test('what the peer could not read is not sent: nobody else’s ask suffers from it', async () => {
  const system = r.keyed('120000', 'unreadable')
  r.run('generate', join(r.dir, 'g'), '--code', '130000', '--region', r.regionDir, '--people', '200', '--seed', '20260101')
  const company = JSON.parse(readFileSync(join(r.dir, 'g/legal-persons.jsonl'), 'utf8').split('\n')[0])
  const good = { provider: '130000', register: 'legal-persons', operation: 'verify', key: { uscc: company.uscc }, claims: { name: company.name }, purpose: { item: 'business-check' } }
  const purpose = (value) => ({ ...good, purpose: { ...good.purpose, case: value } })
  let deep = 'x'
  for (let i = 0; i < 60; i++) deep = { a: deep }
  const wrong = [
    ...['x'.repeat(65), 'a\u0000b', 'a\nb', 'a\tb', 'a\u007fb', '\u202eabc', 7, {}].map((value) => [purpose(value), '/purpose/case']),
    ...['\u202eabc', 'abc\u0000', 7].map((value) => [{ ...good, consent: value }, '/consent']),
    [{ ...good, claims: { name: deep } }, ''],
  ]
  let stop = false
  const others = (async () => {
    const seen = new Set()
    while (!stop) seen.add((await system.post('/exchange/v1/ask', good)).status)
    return [...seen]
  })()
  for (const provider of ['130000', '120000'])
    for (const [body, pointer] of wrong) {
      const answer = await system.post('/exchange/v1/ask', { ...body, provider })
      problem(answer, 400)
      assert.ok(answer.json.errors.some((e) => e.pointer.startsWith(pointer)), answer.text)
    }
  stop = true
  assert.deepEqual(await others, [200])
})

const asked = (more) => ({ provider: '110000', register: 'population', operation: 'verify', key: { id_number: '440524188001010014' }, claims: { name: '某某' }, purpose: { item: 'identity-check' }, ...more })
const query = (more) => asked({ register: 'legal-persons', operation: 'query', claims: undefined, key: { uscc: '91110114MA0000007M' }, fields: ['name'], purpose: { item: 'business-check' }, ...more })
const refusedAt = (answer, ...pointers) => {
  problem(answer, 400)
  assert.deepEqual(answer.json.errors?.map((e) => e.pointer), pointers, answer.text)
  for (const e of answer.json.errors) assert.ok(e.message_zh && e.message_en && e.message_zh !== e.message_en, JSON.stringify(e))
}

test('an ask is refused at the member that is wrong, in the caller\'s own body', async () => {
  const system = r.keyed('120000', 'careless')
  const ask = (body) => system.post('/exchange/v1/ask', body)
  refusedAt(await ask(query({ fields: ['name', 'name'] })), '/fields/1')
  refusedAt(await ask(query({ fields: ['name', 7] })), '/fields/1')
  refusedAt(await ask(query({ fields: ['name', 'zzz'] })), '/fields/1')
  refusedAt(await ask(query({ key: { uscc: '91110114MA0000007X' } })), '/key/uscc')
  refusedAt(await ask(query({ key: { uscc: '91110114MA0000007M', more: 1 } })), '/key/more')
  refusedAt(await ask(asked({ claims: { zzz: 'x' } })), '/claims/zzz')
  refusedAt(await ask(asked({ register: 'zzz' })), '/register')
  refusedAt(await ask(asked({ grant: 1 })), '/grant')
  refusedAt(await ask(asked({ purpose: { item: 7 } })), '/purpose/item')
  refusedAt(await ask(asked({ fields: ['name'] })), '/fields')
  refusedAt(await ask(query({ claims: { name: 'x' } })), '/claims')
  for (const name of ['张\u202e三', '张\u0007三']) refusedAt(await ask(asked({ claims: { name } })), '/claims/name')
  const batch = await system.post('/exchange/v1/ask:batch', { asks: [asked(), query({ fields: ['name', 'name'] })] })
  assert.equal(batch.json.items[1].problem.errors[0].pointer, '/asks/1/fields/1', batch.text)
})

test('a grant is entered only when it names what there is', async () => {
  const good = { id: 'good.one_1-A', provider: '120000', register: 'legal-persons', operation: 'verify', fields: ['name'], consumer: { member: '110000', office: 'BJ-DATA' }, purposes: ['business-check'], basis: { zh: '测试第一条', en: 'test, article 1' }, consent: 'none', rate: 0, not_before: '2026-01-01T00:00:00Z', not_after: '2031-01-01T00:00:00Z' }
  const add = (change) => operator.post('/exchange/v1/grants', { ...good, ...change })
  refusedAt(await add({ consumer: { member: '999999' } }), '/consumer/member')
  refusedAt(await add({ consumer: { member: '110000', zzz: 1 } }), '/consumer/zzz')
  refusedAt(await add({ consumer: { member: '110000', office: '一 二' } }), '/consumer/office')
  refusedAt(await add({ register: 'zzz' }), '/register')
  refusedAt(await add({ fields: ['name', 'zzz'] }), '/fields/1')
  refusedAt(await add({ fields: ['name', 'name'] }), '/fields/1')
  refusedAt(await add({ fields: [] }), '/fields')
  refusedAt(await add({ purposes: [] }), '/purposes')
  refusedAt(await add({ purposes: ['*', 'a b'] }), '/purposes/1')
  refusedAt(await add({ rate: -1 }), '/rate')
  refusedAt(await add({ tells_absence: 'yes' }), '/tells_absence')
  refusedAt(await add({ not_before: '2020-01-01T00:00:00Z', not_after: '2021-01-01T00:00:00Z' }), '/not_after')
  for (const id of ['a/b', '..', 'ä', 'x'.repeat(65)]) refusedAt(await add({ id }), '/id')
  assert.ok(!(await operator.get('/exchange/v1/grants')).json.items.some((g) => g.id === good.id))
  assert.equal((await add({})).status, 201)
  assert.equal((await operator.call('DELETE', `/exchange/v1/grants/${good.id}`)).status, 200)
})

test('a page of looks goes on where a page ended, or says that there is no such place', async () => {
  for (const at of ['zzz', '', '110000~zzz', '~', '110000~;zzz', 'log/1']) refusedAt(await citizen.get(`/exchange/v1/looks?before=${encodeURIComponent(at)}`), '?before')
  for (const limit of ['-1', 'abc']) refusedAt(await citizen.get(`/exchange/v1/looks?limit=${limit}`), '?limit')
  assert.equal((await citizen.get('/exchange/v1/looks?before=2026-01-01T00:00:00Z')).status, 200)
})

test('who applies for herself, and agrees to what, is what the item asks for', async () => {
  const sample = await sampleOf(citizen)
  const start = (more) => citizen.post('/cases/v1/cases', { item: 'HE-TALENT-CARD', form: sample, consents: ['degree', 'household'], ...more })
  refusedAt(await start({ applicant: { id_number: '11010519491231002X', name: '张三' } }), '/applicant')
  refusedAt(await start({ consents: ['degree', 'household', 'zzz'] }), '/consents/2')
  refusedAt(await start({ consents: ['degree', 'household', 7] }), '/consents/2')
  refusedAt(await start({ consents: ['degree', 'household', 'degree'] }), '/consents/2')
  refusedAt(await start({ form: { ...sample, 'a/b': 1 } }), '/form/a~1b')
})

test('what is no JSON is said in each language by itself, with its place', async () => {
  for (const [body, zh, en] of [
    [Buffer.from([0x7b, 0x22, 0xe5, 0xad, 0x97, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]), '第 8 字节处不是合法的 JSON（不是 UTF-8）', 'Not valid JSON at byte 8 (not UTF-8)'],
    ['{"a":1,"a":2}', '第 13 字节处不是合法的 JSON（成员名重复）', 'Not valid JSON at byte 13 (duplicate key)'],
    ['', '第 0 字节处不是合法的 JSON（内容为空）', 'Not valid JSON at byte 0 (empty)'],
  ]) {
    const answer = await citizen.post('/cases/v1/cases', body)
    assert.equal(answer.json.title_zh, zh)
    assert.equal(answer.json.title_en, en)
  }
})

test('where nothing is asked for, nothing may come; what is not there is not found', async () => {
  problem(await operator.post('/people/v1/totp', { a: 1 }), 400)
  problem(await anyone.post('/operations/v1/tour', [1]), 400)
  problem(await operator.post('/exchange/v1/alarms/nothing:handle', { note: 'x' }), 404)
  const answer = await r.keyed('120000', 'everywhere').post('/records/v1/verify:everywhere', { register: 'population', key: { id_number: '440524188001010014' }, claims: { name: '某某' }, purpose: { item: 'curiosity' } })
  problem(answer, 403)
  assert.match(answer.json.type, /grant-purpose/)
})

test('ten megabytes are refused before they are read', async () => {
  const answer = await citizen.post('/cases/v1/cases', `{"item":"${'x'.repeat(10 << 20)}"}`).catch((cause) => ({ closed: cause }))
  if (!answer.closed) problem(answer, 413)
})

test('the right media type, method and address', async () => {
  problem(await citizen.post('/cases/v1/cases', '{}', { 'Content-Type': 'text/plain' }), 415)
  const other = await citizen.call('PUT', '/cases/v1/cases', {})
  problem(other, 405)
  assert.deepEqual(other.headers.get('allow').split(', ').toSorted(), ['GET', 'HEAD', 'POST'])
  for (const headers of [{ 'Content-Encoding': 'gzip' }, { 'Content-Type': 'application/json; charset=gbk' }]) problem(await citizen.post('/cases/v1/cases', '{}', headers), 415)
  for (const headers of [{ 'Content-Encoding': 'identity' }, { 'Content-Type': 'application/json; charset="UTF-8"' }]) problem(await citizen.post('/cases/v1/cases', '{}', headers), 400)
  problem(await citizen.get('/cases/v1/nothing'), 404)
  problem(await anyone.get('/records/v1/catalogue?limit=x'), 400)
  problem(await anyone.get('/records/v1/catalogue?limit=1000000'), 400)
})

test('roles and the anti-forgery token are asked for', async () => {
  const unknown = await anyone.get('/cases/v1/cases')
  problem(unknown, 401)
  assert.match(unknown.headers.get('www-authenticate'), /^Bearer /)
  problem(await citizen.get('/exchange/v1/links'), 403)
  problem(await clerk.get('/exchange/v1/journal'), 403)
  problem(await citizen.post('/records/v1/registers/population:import?format=csv', 'x', { 'Content-Type': 'text/csv' }), 403)
  const token = citizen.csrf
  citizen.csrf = ''
  problem(await citizen.post('/cases/v1/cases', {}), 403)
  citizen.csrf = 'f'.repeat(32)
  problem(await citizen.post('/cases/v1/cases', {}), 403)
  citizen.csrf = token
  const forged = r.client('120000')
  forged.key = 'thk_0011223344556677_00'
  problem(await forged.post('/exchange/v1/ask', {}), 401)
})

test('another person\'s case is not there', async () => {
  const sample = await sampleOf(citizen)
  const started = await citizen.post('/cases/v1/cases', { item: 'HE-TALENT-CARD', form: sample, consents: ['degree', 'household'] })
  const other = await r.signedIn('110000', 'citizen')
  problem(await other.get(`/cases/v1/cases/${started.json.id}`), 404)
  problem(await citizen.get('/cases/v1/cases/01a20b75-cddc-7000-bc4e-d53b1033f11c'), 404)
  problem(await citizen.post(`/cases/v1/cases/${started.json.id}:decide`, { outcome: 'approved' }), 403)
})

test('a refusal must say why and by which law', async () => {
  const hebei = await r.signedIn('130000', 'clerk')
  const sample = await sampleOf(citizen)
  const { id } = (await citizen.post('/cases/v1/cases', { item: 'HE-TALENT-CARD', form: sample, consents: ['degree', 'household'] })).json
  await until('arrival', async () => (await hebei.get(`/cases/v1/cases/${id}`)).json?.state === 'received')
  assert.equal((await hebei.post(`/cases/v1/cases/${id}:accept`)).status, 200)
  problem(await hebei.post(`/cases/v1/cases/${id}:decide`, { outcome: 'refused' }), 400)
  problem(await hebei.post(`/cases/v1/cases/${id}:decide`, { outcome: 'maybe' }), 400)
  problem(await hebei.post(`/cases/v1/cases/${id}:deliver`), 409)
  assert.equal((await hebei.post(`/cases/v1/cases/${id}:decide`, { outcome: 'refused', reason: '材料不符', law: '行政许可法第三十八条' })).status, 200)
})

test('five wrong passwords lock the account for a while; the words tell nothing', async () => {
  const unknown = await anyone.post('/people/v1/session', { login: 'nobody-here', password: 'whatever-it-is' })
  const wrong = await anyone.post('/people/v1/session', { login: 'accountant', password: 'whatever-it-is' })
  problem(unknown, 401)
  assert.equal(unknown.json.type, wrong.json.type)
  for (let i = 0; i < 4; i++) await anyone.post('/people/v1/session', { login: 'accountant', password: `wrong-${i}-wrong` })
  const locked = await anyone.post('/people/v1/session', { login: 'accountant', password: 'tonghui-demo' })
  problem(locked, 429)
  assert.ok(Number(locked.headers.get('retry-after')) > 0)
})

test('one-time codes: enrolled, asked for, used once', async () => {
  const { createHmac } = await import('node:crypto')
  const auditor = await r.signedIn('120000', 'auditor')
  const begun = await auditor.call('POST', '/people/v1/totp')
  assert.equal(begun.status, 200, begun.text)
  const bits = [...begun.json.secret].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('')
  const secret = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)))
  const code = (step) => {
    const counter = Buffer.alloc(8)
    counter.writeBigUInt64BE(BigInt(step))
    const h = createHmac('sha1', secret).update(counter).digest()
    const at = h[19] & 15
    return String((h.readUInt32BE(at) & 0x7fffffff) % 1000000).padStart(6, '0')
  }
  const step = Math.floor(Date.now() / 30000)
  problem(await auditor.post('/people/v1/totp:confirm', { code: '000000' }), 400)
  assert.equal((await auditor.post('/people/v1/totp:confirm', { code: code(step) })).status, 200)
  const later = r.client('120000')
  const asked = await later.signIn('auditor')
  problem(asked, 401)
  assert.match(asked.json.type, /totp-required/)
  problem(await later.signIn('auditor', undefined, code(step)), 401) // the code that enrolled is spent
  assert.equal((await later.signIn('auditor', undefined, code(step + 1))).status, 200)
  problem(await r.client('120000').signIn('auditor', undefined, code(step + 1)), 401)
})

test('hostile framing is refused by the listener', async () => {
  const raw = (text) =>
    new Promise((done) => {
      const socket = connect(r.nodes['120000'].port, '127.0.0.1')
      let heard = ''
      socket.on('data', (bytes) => (heard += bytes))
      socket.on('error', () => {})
      socket.on('close', () => done(heard))
      socket.write(text)
      setTimeout(() => socket.destroy(), 700)
    })
  const post = 'POST /people/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
  const attacks = [
    'GET /healthz HTTP/1.1\r\n\r\n',
    'GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    `${post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} `,
    `${post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `${post}Content-Length : 2\r\n\r\n{}`,
    `GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(60000)}\r\n\r\n`,
    `GET /${'../'.repeat(20)}etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n`,
    'GET /..%2f..%2fetc/passwd HTTP/1.1\r\nHost: x\r\n\r\n',
  ]
  for (const attack of attacks) {
    const heard = await raw(attack)
    assert.ok(!/^HTTP\/1.1 2/.test(heard), `${attack.slice(0, 90)} → ${heard.slice(0, 120)}`)
    assert.ok(!heard.includes('root:'), 'no file of the machine')
  }
  const many = await raw(`GET /healthz HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(70)}\r\n`)
  assert.match(many, /"title_zh":"请求报文格式有歧义，已拒绝（标头过多）","title_en":"The request's framing is refused: too many header fields"/)
  for (const path of ['/healthz', '/readyz']) assert.match(await raw(`GET ${path} HTTP/1.0\r\n\r\n`), /^HTTP\/1.[01] 200/)
  assert.match(await raw('GET /cases/v1/cases HTTP/1.0\r\n\r\n'), /^HTTP\/1.[01] 400/)
  const pipelined = await raw('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
  assert.equal(pipelined.match(/HTTP\/1.1 200/g)?.length, 2)
})

test('imports keep the good rows, report the bad ones with line and field, and become one version', async () => {
  const csv = '\ufeffid_number,name,household_region,status\r\n11010519491231002X,"张,三",110000,normal\r\n110105194912310021,李四,110000,normal\r\n440524188001010014,王五,110000,unheard\r\n11010519491231002X,重复,110000,normal\r\n,无号,110000,normal\r\n'
  const answer = await operator.post('/records/v1/registers/population:import?format=csv', csv, { 'Content-Type': 'text/csv' })
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.json.kept, 1)
  assert.equal(answer.json.refused, 4)
  assert.deepEqual(answer.json.report.map((row) => [row.line, row.code]), [[3, 'check-digit'], [4, 'enum'], [5, 'conflicting-rows'], [6, 'required']])
  assert.equal(answer.json.conflicts, 1)
  const nothing = await operator.post('/records/v1/registers/population:import?format=csv', 'id_number,name\n1,2\n', { 'Content-Type': 'text/csv' })
  problem(nothing, 422)
  const head = await operator.post('/records/v1/registers/population:import?format=csv', 'number,name\n1,2\n', { 'Content-Type': 'text/csv' })
  problem(head, 422)
  const system = r.keyed('110000', 'importer')
  const ask = () => system.post('/exchange/v1/ask', { provider: '120000', register: 'population', operation: 'verify', key: { id_number: '１１０１０５１９４９１２３１００２x' }, claims: { name: ' 张,三' }, purpose: { item: 'identity-check' } })
  // Two rows of one number that differ: nobody is told which is right until a person has looked.
  const disputed = await ask()
  assert.deepEqual(disputed.json.results, { name: 'indeterminate' }, disputed.text)
  const tickets = (await operator.get('/records/v1/conflicts')).json.items
  assert.deepEqual(tickets.map((t) => [t.register, t.kind, t.key.id_number, t.state]), [['population', 'duplicate', '1101**********002X', 'open']])
  problem(await operator.post(`/records/v1/conflicts/${tickets[0].id}:close`, { note: '' }), 400)
  assert.equal((await operator.post(`/records/v1/conflicts/${tickets[0].id}:close`, { note: '经核对，以第 2 行为准' })).status, 200)
  problem(await operator.post(`/records/v1/conflicts/${tickets[0].id}:close`, { note: '再次' }), 404)
  const seen = await ask()
  assert.deepEqual(seen.json.results, { name: 'match' }, seen.text)
})

test('guessing is stopped: after five mismatches about one person the register says no more', async () => {
  const system = r.keyed('130000', 'guesser')
  const guess = (name) => system.post('/exchange/v1/ask', { provider: '110000', register: 'population', operation: 'verify', key: { id_number: '440524188001010014' }, claims: { name }, purpose: { item: 'identity-check' } })
  for (let i = 0; i < 5; i++) assert.equal((await guess(`试${i}`)).status, 200)
  const stopped = await guess('再试')
  problem(stopped, 429)
  assert.match(stopped.json.type, /verify-budget/)
})

test('the node goes on after all of this', async () => {
  await sleep(100)
  for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json', '/records/v1/catalogue?q=division', '/records/v1/datasets/divisions.csv']) {
    const answer = await anyone.get(path)
    assert.equal(answer.status, 200, path)
  }
  assert.match((await anyone.get('/metrics')).text, /tonghui_http_requests_total\{operation="signIn"/)
})
