// fake.mjs: DEVELOPMENT ONLY. A pretend node for building pages before or without a real one: TONGHUI_FAKE=1 npm run dev.
// Never part of a build. Its journals and signatures are real (Ed25519, RFC 9162), so that the pages' own checking is exercised.
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto'

const b64 = (bytes) => Buffer.from(bytes).toString('base64url')
const sha = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const canonical = (value) =>
  Array.isArray(value)
    ? `[${value.map(canonical).join(',')}]`
    : value && typeof value === 'object'
      ? `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`
      : JSON.stringify(value)
const time = (ms) => new Date(ms).toISOString().replace(/(\.\d{3})Z/, '$1000Z')

const names = {
  110000: { zh: '北京市', en: 'Beijing', lon: 116.41, lat: 39.9 },
  120000: { zh: '天津市', en: 'Tianjin', lon: 117.2, lat: 39.13 },
  130000: { zh: '河北省', en: 'Hebei', lon: 114.51, lat: 38.04 },
  133100: { zh: '雄安新区', en: "Xiong'an New Area", lon: 115.98, lat: 38.98 },
}
const codes = Object.keys(names)
const coded = (code) => ({ code, zh: names[code].zh, en: names[code].en })
const start = Date.now()

function newKey() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  return { privateKey, public: b64(raw), kid: sha(raw).toString('hex').slice(0, 16) }
}
const keys = Object.fromEntries(codes.map((code) => [code, { message: newKey(), journal: newKey(), governor: newKey() }]))
const window = { not_before: time(start - 200 * 864e5), not_after: time(start + 400 * 864e5) }
const members = codes.map((code, i) => ({
  code,
  name: { zh: names[code].zh, en: names[code].en },
  peer: `https://127.0.0.1:${8111 + 10 * i}`,
  portal: `http://127.0.0.1:${8110 + 10 * i}`,
  keys: [
    { kid: keys[code].message.kid, suite: 'ed25519-sha256', public: keys[code].message.public, use: ['message'], ...window },
    { kid: keys[code].journal.kid, suite: 'ed25519-sha256', public: keys[code].journal.public, use: ['journal'], ...window },
  ],
  tls: ['sha256/' + b64(sha(code))],
}))
const signed = {
  region: 'jingjinji',
  name: { zh: '京津冀雄', en: 'Jing-Jin-Ji-Xiong' },
  version: 7,
  issued: time(start - 22 * 864e5),
  expires: time(start + 26 * 864e5),
  governors: { threshold: 3, keys: codes.map((code) => ({ kid: keys[code].governor.kid, suite: 'ed25519-sha256', public: keys[code].governor.public, holder: code })) },
  members,
  suspended: [],
}
const trust = {
  signed,
  signatures: codes.slice(0, 3).map((code) => ({ kid: keys[code].governor.kid, sig: b64(sign(null, Buffer.from(canonical(signed)), keys[code].governor.privateKey)) })),
}

// ---- journals
const logs = Object.fromEntries(codes.map((code) => [code, { log: `${code}.1`, leaves: [], entries: [], head: null }]))
const store = new Map()
function rootOf(leaves) {
  if (leaves.length === 1) return leaves[0]
  let split = 1
  while (split * 2 < leaves.length) split *= 2
  return sha(Buffer.of(1), rootOf(leaves.slice(0, split)), rootOf(leaves.slice(split)))
}
function pathOf(index, leaves) {
  if (leaves.length === 1) return []
  let split = 1
  while (split * 2 < leaves.length) split *= 2
  return index < split
    ? [...pathOf(index, leaves.slice(0, split)), rootOf(leaves.slice(split))]
    : [...pathOf(index - split, leaves.slice(split)), rootOf(leaves.slice(0, split))]
}
function append(code, entry) {
  const log = logs[code]
  const line = JSON.stringify({ index: log.leaves.length, ...entry })
  log.leaves.push(sha(Buffer.of(0), line))
  log.entries.push(line)
  log.head = null
  return log.leaves.length - 1
}
function headOf(code, at = Date.now()) {
  const log = logs[code]
  if (log.head) return log.head
  const head = { log: log.log, size: log.leaves.length, root: b64(rootOf(log.leaves)), at: time(at), suite: 'ed25519-sha256' }
  const sig = sign(null, Buffer.from('tonghui/v1/tree-head\n' + canonical(head)), keys[code].journal.privateKey)
  return (log.head = { ...head, kid: keys[code].journal.kid, sig: b64(sig) })
}
const receipt = (code, index) => ({ entry: logs[code].entries[index], path: pathOf(index, logs[code].leaves).map(b64), head: headOf(code) })

function exchange({ from, to, type, item, caseId, grant, body, answer, at = Date.now() }) {
  const id = randomUUID()
  const message = JSON.stringify({ id, type, from, to, at: time(at), grant, purpose: { item, case: caseId }, actor: { office: 'hall', operator: b64(sha(id)).slice(0, 22) }, body })
  const reply = JSON.stringify({ id, status: 200, body: answer })
  const entry = { at: time(at + 3), peer: to, id, leaf: b64(sha(Buffer.of(0), message)), answer: b64(sha(Buffer.of(0), reply)), item: item ?? null, case: caseId ?? null, grant: grant ?? null, private: b64(sha(id, 'private')) }
  const asked = type.startsWith('case') ? ['sent', 'received'] : ['asked', 'answered']
  const reorder = (direction, peer) => ({ at: entry.at, direction, peer, id, leaf: entry.leaf, answer: entry.answer, item: entry.item, case: entry.case, grant: entry.grant, private: entry.private })
  const own = append(from, reorder(asked[0], to))
  const theirs = append(to, reorder(asked[1], from))
  store.set(id, { message, answer: reply, at: [[from, own], [to, theirs]] })
  shout('message', { from, to, type, count: 1, us: 1800 + Math.random() * 900, ok: true })
  return id
}
const receiptsOf = (id) => {
  const found = store.get(id)
  return found && { message: found.message, answer: found.answer, receipts: found.at.map(([code, index]) => receipt(code, index)) }
}

// ---- streams
const streams = new Map()
const shout = (event, data, channel = 'wall') => streams.get(channel)?.forEach((res) => res.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`))
function openStream(res, channel) {
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  res.write(': open\n\n')
  const set = streams.get(channel) ?? streams.set(channel, new Set()).get(channel)
  set.add(res)
  res.on('close', () => set.delete(res))
}

// ---- items and cases
const field = (title, en, extra = {}) => ({ type: 'string', title, 'x-en': en, ...extra })
const evidence = [
  { id: 'degree', title: { zh: '学历证书', en: 'Degree certificate' }, provider: coded('110000'), register: 'degrees', operation: 'verify', fields: [{ name: 'certificate', zh: '证书编号', en: 'certificate number' }, { name: 'school', zh: '学校', en: 'school' }, { name: 'major', zh: '专业', en: 'subject' }], consent: true },
  { id: 'person', title: { zh: '户籍信息', en: 'Household' }, provider: coded('130000'), register: 'population', operation: 'verify', fields: [{ name: 'name', zh: '姓名', en: 'name' }, { name: 'id_number', zh: '公民身份号码', en: 'ID number' }], consent: false },
]
const form = {
  type: 'object',
  required: ['certificate', 'school', 'major', 'profession'],
  properties: {
    certificate: field('证书编号', 'Certificate number', { description: '证书右下角的 18 位数字', 'x-en-description': 'The 18 digits at the lower right of the certificate', pattern: '^\\d{18}$' }),
    school: field('学校', 'School', { maxLength: 60 }),
    major: field('专业', 'Subject', { maxLength: 60 }),
    profession: { type: 'string', title: '申请的资格', 'x-en': 'Qualification applied for', oneOf: [{ const: 'nurse', title: '护士执业', 'x-en': 'Registered nurse' }, { const: 'teacher', title: '教师资格', 'x-en': 'Teacher' }, { const: 'engineer', title: '注册工程师', 'x-en': 'Chartered engineer' }] },
    delivery: { type: 'string', title: '结果怎样给您', 'x-en': 'How to give you the result', enum: ['电子证照', '邮寄', '窗口领取'] },
    note: field('补充说明', 'Anything to add', { maxLength: 500 }),
  },
}
const brief = (code, zh, en, owner, days, anywhere = true, fee = 0) => ({ code, title: { zh, en }, owner: coded(owner), office: { code: 'rsj', zh: '人力资源和社会保障厅', en: 'Human Resources and Social Security' }, limit_days: days, fee_fen: fee, anywhere, simulated: true })
const items = [
  brief('13-2001', '职业资格跨省认定', 'Recognition of a professional qualification', '130000', 5),
  brief('13-2002', '灵活就业人员参保登记', 'Social insurance for the self-employed', '130000', 3),
  brief('12-1103', '出生医学证明补发', 'Replacement of a birth certificate', '120000', 7, true, 1000),
  brief('11-0907', '学历证书核验证明', 'Statement of a verified degree', '110000', 1),
  brief('33-0301', '雄安新区积分落户', "Residence by points in Xiong'an", '133100', 20),
  brief('13-2044', '道路货运经营许可', 'Road freight licence', '130000', 10, false),
]
const itemFull = (one) => ({
  ...one,
  conditions: [{ zh: '学历、户籍可以核验', en: 'Your degree and household can be verified' }, { zh: '年满 18 周岁', en: 'Aged 18 or over' }],
  materials: [
    { id: 'degree', title: { zh: '学历证书', en: 'Degree certificate' }, obtain: 'register', register: 'degrees', provider: coded('110000') },
    { id: 'id', title: { zh: '户口簿', en: 'Household book' }, obtain: 'register', register: 'population', provider: coded('130000') },
    { id: 'photo', title: { zh: '一寸照片', en: 'Passport photo' }, obtain: 'upload' },
  ],
  basis: [{ zh: '《职业资格证书规定》第六条', en: 'Regulations on Vocational Qualification Certificates, art. 6' }],
  process: [{ zh: '提交，向登记单位核验', en: 'You apply; the facts are verified' }, { zh: '河北受理', en: 'Hebei accepts' }, { zh: '河北决定', en: 'Hebei decides' }, { zh: '结果送达', en: 'The result reaches you' }],
  form,
  evidence,
})
const cases = new Map()
let number = 41
function event(one, code, kind, zh, en, extra = {}) {
  const told = { seq: one.events.length + 1, at: time(extra.at ?? Date.now()), node: coded(code), kind, by: extra.by ?? null, note: extra.note ?? null, zh, en, ...(extra.message ? { message: extra.message } : {}) }
  one.events.push(told)
  one.updated = told.at
  shout('case', told, `case-${one.id}`)
}
function newCase({ item, form: values, name, id, at = Date.now(), later = true, results }) {
  const full = items.find((each) => each.code === item) ?? items[0]
  const one = { id: randomUUID(), number: `130000-20261124-${String(++number).padStart(5, '0')}`, item: { code: full.code, ...full.title }, state: 'evidence', origin: coded('120000'), owner: full.owner, applicant: { name, id_masked: id }, applicant_name: name, form: values, evidence: [], events: [], due: null, simulated: true, updated: time(at) }
  cases.set(one.id, one)
  event(one, '120000', 'submitted', '已提交，编号已给出', 'Sent and numbered', { at })
  for (const rule of evidence) {
    const told = results?.[rule.id] ?? Object.fromEntries(rule.fields.map((each) => [each.name, 'match']))
    const message = exchange({ from: '120000', to: rule.provider.code, type: 'verify', item, caseId: one.id, grant: `g-${rule.id}-2026`, at: at + 900, body: { register: rule.register, claims: Object.fromEntries(rule.fields.map((each) => [each.name, values[each.name] ?? '…'])) }, answer: { results: told } })
    one.evidence.push({ id: rule.id, title: rule.title, provider: rule.provider, register: rule.register, state: 'answered', results: told, fields: rule.fields, message, at: time(at + 900) })
    event(one, rule.provider.code, 'evidence', `${names[rule.provider.code].zh}已核验${rule.title.zh}`, `${names[rule.provider.code].en} verified the ${rule.title.en.toLowerCase()}`, { message, at: at + 900 })
  }
  const over = () => {
    const message = exchange({ from: '120000', to: full.owner.code, type: 'case.submitted', item, caseId: one.id, body: { number: one.number }, answer: { received: true } })
    one.state = 'received'
    one.due = time(Date.now() + full.limit_days * 864e5)
    event(one, full.owner.code, 'received', `${names[full.owner.code].zh}已收到`, `Received in ${names[full.owner.code].en}`, { message })
  }
  if (later) {
    one.state = 'handed_over'
    setTimeout(over, 2500)
  } else over()
  return one
}
const seen = (one, roles) => ({ ...one, actions: roles.includes('clerk') ? (one.state === 'received' ? ['accept'] : one.state === 'accepted' ? ['decide'] : one.state === 'decided' ? ['deliver'] : []) : ['received', 'accepted', 'handed_over', 'evidence'].includes(one.state) ? ['withdraw'] : [] })
const people = ['李建国', '王秀英', '赵晓彤', '孙志强', '周雨桐', '吴海燕', '郑凯', '冯雅静']
people.forEach((name, i) => {
  const one = newCase({ item: items[i % 3 === 2 ? 1 : 0].code, form: { certificate: '100031202405' + String(100234 + i), school: '北京师范大学', major: '护理学', profession: 'nurse', delivery: '电子证照' }, name, id: '1301**********' + (2210 + i * 37), at: start - (i + 1) * 5.3e6, later: false, results: i === 3 ? { degree: { certificate: 'match', school: 'match', major: 'mismatch' } } : undefined })
  one.due = time(start + (i - 1) * 1.3 * 864e5)
  if (i % 4 === 1) one.state = 'accepted'
})
cases.get([...cases.keys()][0]).mine = true
cases.get([...cases.keys()][1]).mine = true
for (let i = 0; i < 220; i++) {
  const [a, b] = [codes[i % 4], codes[(i * 7 + 1 + (i % 3)) % 4]]
  if (a !== b) exchange({ from: a, to: b, type: 'verify', item: items[i % 5].code, caseId: randomUUID(), grant: 'g-degree-2026', at: start - (220 - i) * 61e3, body: { register: 'degrees', claims: { school: '…' } }, answer: { results: { school: 'match' } } })
}

// ---- people
const logins = [
  { role: 'citizen', login: 'citizen', password: 'demo', name: '李建国' },
  { role: 'clerk', login: 'clerk', password: 'demo', name: '陈窗口' },
  { role: 'operator', login: 'operator', password: 'demo', name: '刘运维' },
  { role: 'auditor', login: 'auditor', password: 'demo', name: '何审计' },
  { role: 'duty', login: 'duty', password: 'demo', name: '马值班' },
]
const sessions = new Map()
const sessionOf = (req) => sessions.get(/fake-session=(\w+)/.exec(req.headers.cookie ?? '')?.[1])
const office = { code: 'hall', zh: '政务服务大厅', en: 'Service hall' }

// ---- wall
const wallNodes = () => codes.map((code, i) => ({ code, name: { zh: names[code].zh, en: names[code].en }, lon: names[code].lon, lat: names[code].lat, up: !(process.env.FAKE_DOWN === code), verifies_per_s: 2 + i + Math.random() * 3, messages_per_s: 4 + i + Math.random() * 6, latency_p50_us: 1900 + i * 150, latency_p99_us: 7200 + i * 900, faults: i === 2 ? 1 : 0, outbox: i === 1 ? 3 : 0, head_size: logs[code].leaves.length * 311 }))
const flows = () => codes.flatMap((from) => codes.filter((to) => to !== from).map((to) => ({ from, to, per_s: Math.random() * 2 })))
const minutes = Array.from({ length: 1440 }, (_, i) => {
  const at = Math.floor(start / 6e4) * 6e4 - (1440 - i) * 6e4
  const hour = (new Date(at).getUTCHours() + 8) % 24
  const day = Math.max(0.06, Math.sin(((hour - 6.5) / 13) * Math.PI))
  const messages = Math.round(day * 380 * (0.8 + 0.3 * Math.sin(i / 17)) + Math.random() * 50)
  return { at: time(at), messages, verifies: Math.round(messages * 0.7), faults: i % 401 === 7 ? 1 : 0 }
})
const attention = () => (process.env.FAKE_CALM ? [] : [
  { level: 'warning', at: time(Date.now() - 4e5), zh: '天津 → 雄安 有 3 条办件等待送达', en: "3 cases wait for delivery from Tianjin to Xiong'an", href: '/operator/links' },
  { level: 'info', at: time(Date.now() - 6e6), zh: '信任文件将在 26 天后到期', en: 'The trust document expires in 26 days', href: '/operator/trust' },
])
let beating = null
const beat = () => {
  shout('beat', { nodes: wallNodes(), flows: flows() })
  for (let i = 0; i < 4; i++) setTimeout(() => shout('message', { from: codes[(Math.random() * 4) | 0], to: codes[(Math.random() * 4) | 0], type: 'verify', count: 1 + ((Math.random() * 20) | 0), us: 2100, ok: true }), Math.random() * 900)
}

// ---- tour
function tourSteps() {
  const values = { certificate: '100031202405100234', school: '北京师范大学', major: '护理学' }
  const ask = (to, register, claims) => exchange({ from: '120000', to, type: 'verify', item: '13-2001', caseId: 'tour', grant: `g-${register}`, body: { register, claims }, answer: { results: Object.fromEntries(Object.keys(claims).map((name) => [name, 'match'])) } })
  const shown = (id, zh, en) => { const found = store.get(id); return [{ label: { zh: `${zh}：问`, en: `${en}: the question` }, json: JSON.parse(found.message) }, { label: { zh: `${zh}：答`, en: `${en}: the answer` }, json: JSON.parse(found.answer) }] }
  return [
    () => ({ title: { zh: '在天津提出申请', en: 'An application in Tianjin' }, text: { zh: '申请人在天津的手机上填写了证书编号、学校和专业。这些只到天津节点。', en: 'The applicant fills in certificate number, school and subject on a phone in Tianjin. It all stays at Tianjin’s node.' }, crossed: [], kept: [{ zh: '姓名和身份号码', en: 'Name and ID number' }, { zh: '申请表内容', en: 'The form' }] }),
    () => { const id = ask('110000', 'degrees', values); return { title: { zh: '北京核验学历', en: 'Beijing verifies the degree' }, text: { zh: '天津把申请人说的三项交给北京。北京逐项回答“一致”，没有给出登记的内容。', en: 'Tianjin hands Beijing the three statements. Beijing answers “match” for each and gives nothing from its register.' }, crossed: shown(id, '学历核验', 'Degree'), kept: [{ zh: '学历登记的内容', en: 'The degree record itself' }, { zh: '操作人员的身份（只有假名）', en: 'Who the clerk is (a pseudonym only)' }], proof: receiptsOf(id).receipts[1] } },
    () => { const id = ask('130000', 'population', { name: '李建国', id_number: '130…' }); return { title: { zh: '河北核验户籍', en: 'Hebei verifies the household' }, text: { zh: '同样的方式，河北确认姓名和身份号码属于同一个人。', en: 'In the same way Hebei confirms that name and number belong to one person.' }, crossed: shown(id, '户籍核验', 'Household'), kept: [{ zh: '住址、家庭成员', en: 'Address and family' }], proof: receiptsOf(id).receipts[1] } },
    () => { const id = exchange({ from: '120000', to: '130000', type: 'case.submitted', item: '13-2001', caseId: 'tour', body: { number: '130000-…', form: values, evidence: ['degree', 'person'] }, answer: { received: true } }); return { title: { zh: '转给河北', en: 'Handed to Hebei' }, text: { zh: '办件连同核验回执转给河北。中途断电也不会丢，也不会变成两件。', en: 'The case goes to Hebei with its receipts. A power cut on the way loses nothing and doubles nothing.' }, crossed: shown(id, '转递', 'Hand-over'), kept: [{ zh: '登记的内容仍在各自节点', en: 'Records stay where they are kept' }], proof: receiptsOf(id).receipts[1] } },
    () => ({ title: { zh: '河北决定', en: 'Hebei decides' }, text: { zh: '工作人员看到申请与核验并排，作出决定并写明依据。', en: 'The officer sees claims beside evidence and decides, naming the law.' }, crossed: [], kept: [{ zh: '内部讨论', en: 'Internal deliberation' }] }),
    () => ({ title: { zh: '本人看到每一次查看', en: 'The person sees every look' }, text: { zh: '申请人打开“谁看过我的信息”，四地的记录合成一张表，每条都能验证，也能提异议。', en: 'The applicant opens “Who looked at my data”: one list over four nodes, each line provable, each open to objection.' }, crossed: [], kept: [] }),
  ]
}

// ---- requests
const routes = []
const on = (method, pattern, handle) => routes.push([method, new RegExp(`^${pattern}$`), handle])
const problem = (status, type, zh, en, detail = '', errors = []) => ({ status, body: { type: `urn:tonghui:problem:${type}`, title_zh: zh, title_en: en, detail, errors } })
const need = (ctx) => { if (!ctx.session) throw problem(401, 'unauthenticated', '请先登录', 'Sign in first'); return ctx.session }

on('GET', '/operations/v1/node', () => ({ code: '120000', name: { zh: '天津市', en: 'Tianjin' }, region: { id: 'jingjinji', ...signed.name }, version: '0.1.0', demonstration: true, tour: true, logins, portals: members.map(({ code, name, portal }) => ({ code, name, url: portal })) }))
on('GET', '/people/v1/session', (ctx) => need(ctx))
on('POST', '/people/v1/session', ({ body, res }) => {
  const who = logins.find((each) => each.login === body.login && each.password === body.password)
  if (!who) throw problem(401, 'wrong-password', '账号或密码不对', 'The account or the password is wrong', '请再核对一遍；连续 5 次会锁定 15 分钟。')
  const id = randomUUID().replace(/-/g, '')
  const session = { account: { id, login: who.login, name: who.name, roles: [who.role], office: who.role === 'citizen' ? null : office }, csrf: id, expires: time(Date.now() + 36e5) }
  sessions.set(id, session)
  res.setHeader('set-cookie', `fake-session=${id}; Path=/; HttpOnly; SameSite=Lax`)
  return session
})
on('DELETE', '/people/v1/session', ({ req }) => { sessions.delete(/fake-session=(\w+)/.exec(req.headers.cookie ?? '')?.[1]); return {} })
on('GET', '/exchange/v1/region', () => ({ document: trust, version: 7, expires: signed.expires, live: true, members: members.map(({ tls: _, ...each }) => ({ ...each, suspended: false })), governors: { threshold: 3, keys: signed.governors.keys.map((key, i) => ({ ...key, signed: i < 3 })) }, warnings: [{ type: 'trust-expires', zh: '信任文件将在 30 天内过期，请尽快签发新版本', en: 'The trust document expires within 30 days; sign a new version' }] }))
on('GET', '/exchange/v1/grants', ({ url }) => ({ items: evidence.filter((rule) => rule.provider.code === (url.searchParams.get('provider') ?? '120000')).flatMap((rule) => ['120000', '133100'].map((consumer) => ({ id: `g-${rule.id}-${consumer}`, provider: rule.provider.code, register: rule.register, operation: 'verify', fields: rule.fields.map((each) => each.name), consumer: { member: consumer, office: 'hall' }, purposes: ['13-2001', '13-2002'], basis: { zh: '《京津冀政务服务协同框架协议》第四条', en: 'Framework Agreement on Government Services, art. 4' }, consent: rule.consent ? 'citizen' : 'none', rate: 600, ...window }))) }))
on('GET', '/exchange/v1/links', (ctx) => { need(ctx); return { items: codes.slice(0).filter((code) => code !== '120000').map((code, i) => ({ peer: code, name: { zh: names[code].zh, en: names[code].en }, up: i !== 2, last_ok: time(Date.now() - (i === 2 ? 42e4 : 900)), round_trip_us: 1400 + i * 300, skew_us: 210 * (i - 1), waiting: 0, in_flight: i, batches: 18233 + i, messages: 90211 + 7 * i, failures: i === 2 ? 14 : 0, outbox: { waiting: i === 2 ? 3 : 0, dead: 0, oldest: i === 2 ? time(Date.now() - 42e4) : null }, head: { log: logs[code].log, size: logs[code].leaves.length, at: time(Date.now() - 5e3) }, ...(i === 2 ? { error: { type: 'peer-unavailable', zh: '连接超时，自动重试中', en: 'Timed out; retrying by itself' } } : {}) })) } })
on('GET', '/exchange/v1/journal', ({ url, ...ctx }) => { need(ctx); const log = logs['120000']; const before = Number(url.searchParams.get('before') ?? log.entries.length); const limit = Number(url.searchParams.get('limit') ?? 50); const items = log.entries.slice(Math.max(0, before - limit), before).map((line) => JSON.parse(line)).reverse(); return { log: log.log, items, head: headOf('120000'), next: before - limit > 0 ? before - limit : null } })
on('GET', '/exchange/v1/receipts/([^/]+)', (ctx) => { need(ctx); const found = receiptsOf(ctx.match[1]); if (!found) throw problem(404, 'not-found', '没有这条报文', 'No such message'); return found })
on('GET', '/exchange/v1/alarms', (ctx) => { need(ctx); return { items: [] } })
on('GET', '/exchange/v1/looks', (ctx) => {
  need(ctx)
  const mine = [...cases.values()].filter((one) => one.mine)
  return { items: mine.flatMap((one) => one.evidence.map((each) => ({ provider: each.provider, at: each.at, consumer: coded('120000'), office, register: { name: each.register, ...each.title }, fields: each.fields, operation: 'verify', item: one.item, case: one.id, grant: `g-${each.id}-2026`, message: each.message, receipt: receiptsOf(each.message).receipts[1] }))), unreachable: [coded('133100')] }
})
on('POST', '/exchange/v1/looks:object', (ctx) => { need(ctx); const one = newCase({ item: items[0].code, form: { reason: ctx.body.reason }, name: '李建国', id: '1301**********2210', later: false }); one.mine = true; return { case: one.id } })
on('GET', '/records/v1/registers', (ctx) => { need(ctx); return { items: [{ name: 'population', title: { zh: '人口登记', en: 'Population' }, owner: coded('120000'), source: 'local', fields: [{ name: 'id_number', title: { zh: '公民身份号码', en: 'ID number' }, verify: true, query: false, sensitive: true }, { name: 'name', title: { zh: '姓名', en: 'Name' }, verify: true, query: false, sensitive: true }, { name: 'birth_date', title: { zh: '出生日期', en: 'Date of birth' }, verify: true, query: false, sensitive: true }], entries: 1000000, version: 3, simulated: true, standard: 'GB 11643-1999' }, { name: 'legal-persons', title: { zh: '法人登记', en: 'Legal persons' }, owner: coded('120000'), source: 'sql', fields: [{ name: 'uscc', title: { zh: '统一社会信用代码', en: 'Unified social credit code' }, verify: true, query: true, sensitive: false }], entries: 84211, version: 1, simulated: true, standard: 'GB 32100-2015' }] } })
on('POST', '/records/v1/registers/([^/]+):import', (ctx) => { need(ctx); return { version: 4, kept: 9996, refused: 4, report: [{ line: 17, field: 'id_number', code: 'check', zh: '校验位不对', en: 'The check character is wrong' }, { line: 212, field: 'name', code: 'required', zh: '缺少姓名', en: 'The name is missing' }, { line: 3001, field: 'birth_date', code: 'format', zh: '不是日期', en: 'Not a date' }, { line: 7777, field: 'id_number', code: 'duplicate', zh: '与第 16 行重复', en: 'Same as line 16' }] } })
const datasets = [
  { id: 'divisions', title: { zh: '京津冀行政区划', en: 'Administrative divisions' }, description: { zh: '北京、天津、河北的市、区县、街道乡镇代码和名称。', en: 'Codes and names of cities, counties and streets of Beijing, Tianjin and Hebei.' }, publisher: coded('130000'), sector: 'geo-information', access: 'open', licence: 'MIT', refresh: { zh: '每年', en: 'Yearly' }, updated: time(start - 9e8), formats: ['json', 'csv', 'geojson'], rows: 3187, simulated: false },
  { id: 'degrees', title: { zh: '高等教育学历', en: 'Higher-education degrees' }, description: { zh: '学历证书登记，仅供核验。', en: 'Register of degrees, for verification only.' }, publisher: coded('110000'), sector: 'education', access: 'conditional', licence: null, refresh: { zh: '每日', en: 'Daily' }, updated: time(start - 9e6), formats: ['register'], rows: 250000, simulated: true },
]
on('GET', '/records/v1/catalogue', ({ url }) => { const q = url.searchParams.get('q') ?? ''; const s = url.searchParams.get('sector'); return { items: datasets.filter((each) => (!s || each.sector === s) && JSON.stringify(each).toLowerCase().includes(q.toLowerCase())), next: null } })
on('GET', '/records/v1/catalogue/([^/:]+)', ({ match }) => { const found = datasets.find((each) => each.id === match[1]); if (!found) throw problem(404, 'not-found', '没有这项数据', 'No such dataset'); return { ...found, fields: [{ name: 'code', title: { zh: '代码', en: 'Code' }, type: 'string' }, { name: 'name', title: { zh: '名称', en: 'Name' }, type: 'string' }], spatial: { zh: '京津冀', en: 'Beijing, Tianjin, Hebei' }, conformsTo: ['GB/T 2260'], distributions: found.access === 'open' ? found.formats.map((format) => ({ format, url: `/records/v1/datasets/${found.id}.${format}`, bytes: 211233 })) : [] } })
on('POST', '/records/v1/catalogue/([^/:]+):request', (ctx) => { need(ctx); return { request: 'rq-0007' } })
on('GET', '/records/v1/requests', (ctx) => { need(ctx); return { items: [{ id: 'rq-0006', dataset: 'degrees', title: datasets[1].title, reason: '核验应聘教师的学历', fields: ['certificate', 'school'], item: null, by: '天津市教育委员会', at: time(start - 7e6), state: 'waiting' }] } })
on('POST', '/records/v1/requests/([^/:]+):(grant|refuse)', (ctx) => { need(ctx); return {} })
on('GET', '/government/v1/items', ({ url }) => { const q = url.searchParams.get('q') ?? ''; const owner = url.searchParams.get('owner'); return { items: items.filter((each) => (!owner || each.owner.code === owner) && JSON.stringify(each.title).toLowerCase().includes(q.toLowerCase())) } })
on('GET', '/government/v1/items/([^/]+)', ({ match }) => { const one = items.find((each) => each.code === match[1]); if (!one) throw problem(404, 'not-found', '没有这个事项', 'No such service', '它可能已经停办。请从“办事”里重新查找。'); return itemFull(one) })
on('POST', '/cases/v1/cases', (ctx) => { const { account } = need(ctx); const one = newCase({ item: ctx.body.item, form: ctx.body.form, name: ctx.body.applicant?.name ?? account.name, id: '1301**********2210' }); one.mine = account.roles.includes('citizen'); return seen(one, account.roles) })
on('GET', '/cases/v1/cases', (ctx) => { const { account } = need(ctx); const view = ctx.url.searchParams.get('view'); const list = [...cases.values()].filter((one) => (view === 'mine' ? one.mine : view === 'worklist' ? !['decided', 'delivered', 'withdrawn'].includes(one.state) : one.origin.code === '120000')); return { items: list.map(({ events: _, evidence: __, form: ___, applicant: ____, ...one }) => one), next: null, who: account.login } })
on('GET', '/cases/v1/cases/([^/:]+)', (ctx) => { const { account } = need(ctx); const one = cases.get(ctx.match[1]); if (!one) throw problem(404, 'not-found', '没有这个办件', 'No such case'); return seen(one, account.roles) })
on('GET', '/cases/v1/cases/([^/:]+)/events', ({ res, match }) => { openStream(res, `case-${match[1]}`); return undefined })
on('POST', '/cases/v1/cases/([^/:]+):(accept|decide|deliver|withdraw)', (ctx) => {
  const { account } = need(ctx)
  const one = cases.get(ctx.match[1])
  const verb = ctx.match[2]
  const said = { accept: ['accepted', '已受理', 'Accepted'], decide: ['decided', ctx.body.outcome === 'refused' ? '不予办理' : '准予办理', ctx.body.outcome === 'refused' ? 'Refused' : 'Approved'], deliver: ['delivered', '结果已送达', 'Result delivered'], withdraw: ['withdrawn', '申请人撤回', 'Withdrawn by the applicant'] }[verb]
  one.state = said[0]
  event(one, verb === 'withdraw' ? '120000' : one.owner.code, said[0], said[1], said[2], { by: account.name, note: [ctx.body.note, ctx.body.reason, ctx.body.law].filter(Boolean).join(' · ') || null })
  return seen(one, account.roles)
})
on('GET', '/operations/v1/wall', () => ({ region: { id: 'jingjinji', ...signed.name }, nodes: wallNodes(), flows: flows(), attention: attention(), minutes, now: time(Date.now()), simulated: true }))
on('GET', '/operations/v1/stream', ({ res }) => { openStream(res, 'wall'); beating ??= setInterval(beat, 1000); return undefined })
on('POST', '/operations/v1/tour', () => ({ id: randomUUID() }))
on('GET', '/operations/v1/tour/([^/]+)', ({ res, match }) => {
  openStream(res, `tour-${match[1]}`)
  const pace = Number(process.env.FAKE_PACE ?? 900)
  tourSteps().forEach((make, i) => setTimeout(() => { const step = { step: i + 1, at: time(Date.now()), state: 'done', ...make() }; shout('step', step, `tour-${match[1]}`); if (i === 5) setTimeout(() => { shout('end', {}, `tour-${match[1]}`); res.end() }, 300) }, (i + 0.5) * pace))
  return undefined
})

async function bodyOf(req) {
  const parts = []
  for await (const part of req) parts.push(part)
  const text = Buffer.concat(parts).toString()
  try { return text ? JSON.parse(text) : {} } catch { return {} }
}

export function fakeNode() {
  return {
    name: 'tonghui-fake-node-for-development',
    configureServer(server) {
      server.middlewares.use(async (req, res, next) => {
        const url = new URL(req.url, 'http://fake')
        if (!/^\/(people|operations|exchange|records|government|cases)\/v1\//.test(url.pathname)) return next()
        for (const [method, pattern, handle] of routes) {
          const match = method === req.method && pattern.exec(decodeURIComponent(url.pathname))
          if (!match) continue
          try {
            const answer = await handle({ req, res, url, match, body: await bodyOf(req), session: sessionOf(req) })
            if (answer === undefined) return
            res.setHeader('content-type', 'application/json')
            res.end(JSON.stringify(answer))
          } catch (thrown) {
            if (!thrown.status) console.error(thrown)
            res.statusCode = thrown.status ?? 500
            res.setHeader('content-type', 'application/problem+json')
            res.end(JSON.stringify(thrown.body ?? { type: 'fake', title_zh: '出错', title_en: String(thrown) }))
          }
          return
        }
        res.statusCode = 404
        res.setHeader('content-type', 'application/problem+json')
        res.end(JSON.stringify(problem(404, 'not-found', '没有这个接口', 'No such route').body))
      })
    },
  }
}
