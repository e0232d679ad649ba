// example.mjs: the worked example of docs/protocol.md, made by a real exchange between two nodes, and checked from the document alone.
//   node tests/conformance/protocol/example.mjs >new.md         (made anew after the wire has changed; paste it over the old section)
import { verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Peer, canonical, edPublic, leafOf, rangeRoot, rootOf, sha256 } from '../../lib/peer.mjs'
import { Region, codes, root } from '../../lib/region.mjs'

const ASKING = '120000'
const ANSWERING = '110000'

export async function make() {
  const r = await Region.make({ people: 400, suites: Object.fromEntries(codes.map((c) => [c, 'ed25519-sha256'])) })
  try {
    await r.start(ANSWERING)
    r.run('generate', join(r.dir, 'g'), '--code', ANSWERING, '--region', r.regionDir, '--people', '400', '--seed', '20260101')
    const [company, other] = readFileSync(join(r.dir, 'g/legal-persons.jsonl'), 'utf8').split('\n').map((l) => l && JSON.parse(l))
    const peer = new Peer(r, ASKING)
    const purpose = { item: 'business-check' }
    const actor = { office: 'TJ-DATA', operator: '5f1d7c0a9b3e48c6a2d94e7b8f60315c' }
    const grant = `legal-persons-verify-${ANSWERING}-${ASKING}`
    const ask = (row, claims) => peer.line(ANSWERING, 'verify', { register: 'legal-persons', key: { uscc: row.uscc }, claims }, { grant, purpose, actor })
    await peer.ask(ANSWERING, [ask(company, { name: company.name })]) // so that the log is not empty and the range has a left side
    const batch = peer.batch(ANSWERING, [ask(company, { name: company.name, status: 'revoked' }), { ...ask(other, { name: other.name }), purpose: { item: 'curiosity' } }])
    const answer = await peer.send(ANSWERING, batch)
    peer.check(ANSWERING, batch, answer)
    const member = (code) => r.trust().signed.members.find((m) => m.code === code)
    const key = (code, use) => {
      const k = member(code).keys.find((each) => each.use === use)
      return { kid: k.kid, public: k.public }
    }
    return {
      keys: { asking_message: key(ASKING, 'message'), answering_message: key(ANSWERING, 'message'), answering_journal: key(ANSWERING, 'journal') },
      uri: batch.uri,
      request: batch.headers,
      requestBody: batch.body.toString(),
      status: answer.status,
      answer: Object.fromEntries(['content-type', 'content-digest', 'signature-input', 'signature'].map((h) => [h, answer.headers[h]])),
      answerBody: answer.body.toString(),
    }
  } finally {
    await r.close()
  }
}

const block = (lang, text) => `\`\`\`${lang}\n${text.replace(/\n?$/, '\n')}\`\`\`\n`
export function write(e) {
  const head = Object.entries(e.request).map(([k, v]) => `${k}: ${v}`).join('\n')
  const back = Object.entries(e.answer).map(([k, v]) => `${k.replace(/\b\w/g, (c) => c.toUpperCase())}: ${v}`).join('\n')
  return [
    'Keys, as the trust document has them:\n',
    block('json', JSON.stringify(e.keys, null, 1)),
    'The request:\n',
    block('http', `POST ${e.uri}\n${head}`),
    'Its body, two lines (each ends with a line feed, which is not part of the line):\n',
    block('ndjson', e.requestBody),
    'The answer:\n',
    block('http', `HTTP/1.1 ${e.status}\n${back}`),
    'Its body, one line a message and the trailer:\n',
    block('ndjson', e.answerBody),
  ].join('\n')
}

/* Reads the example out of the document's section. */
export function read(markdown) {
  const section = markdown.slice(markdown.indexOf('<!-- example begins -->'), markdown.indexOf('<!-- example ends -->'))
  const [keys, request, requestBody, answer, answerBody] = [...section.matchAll(/```\w+\n([\s\S]*?)```/g)].map((m) => m[1])
  const fields = (text) => Object.fromEntries(text.trim().split('\n').slice(1).map((l) => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 2)]))
  return { keys: JSON.parse(keys), uri: request.split('\n')[0].slice('POST '.length), request: fields(request), requestBody, status: Number(answer.split('\n')[0].split(' ')[1]), answer: fields(answer), answerBody }
}

const b64 = (text) => Buffer.from(text, 'base64url')
const signatureOf = (header) => Buffer.from(/^tonghui=:(.*):$/.exec(header)[1], 'base64')
const holds = (what, ok) => {
  if (!ok) throw new Error(`${what} does not hold`)
}
/* Every claim that docs/protocol.md makes about the bytes, in its order. */
export function check(e) {
  const lines = e.requestBody.split('\n').slice(0, -1)
  const leaves = lines.map((l) => leafOf(Buffer.from(l)))
  holds('the content digest', e.request['content-digest'] === `sha-256=:${sha256(Buffer.from(e.requestBody)).toString('base64')}:`)
  const header = e.request['tonghui-batch']
  holds('the batch root', header.includes(`root=:${rootOf(leaves).toString('base64')}:`) && header.includes(`n=${lines.length},`))
  const params = e.request['signature-input'].replace(/^tonghui=/, '')
  const base = `"@method": POST\n"@target-uri": ${e.uri}\n"content-digest": ${e.request['content-digest']}\n"tonghui-batch": ${header}\n"@signature-params": ${params}`
  holds("the request's signature", verify(null, Buffer.from(base), edPublic(b64(e.keys.asking_message.public)), signatureOf(e.request.signature)))
  holds('the key id', params.includes(`keyid="${e.keys.asking_message.kid}"`) && sha256(b64(e.keys.asking_message.public)).toString('hex').startsWith(e.keys.asking_message.kid))

  holds("the answer's digest", e.answer['content-digest'] === `sha-256=:${sha256(Buffer.from(e.answerBody)).toString('base64')}:`)
  const back = e.answer['signature-input'].replace(/^tonghui=/, '')
  const answerBase = `"@status": ${e.status}\n"content-digest": ${e.answer['content-digest']}\n"tonghui-batch";req: ${header}\n"@signature-params": ${back}`
  holds("the answer's signature", verify(null, Buffer.from(answerBase), edPublic(b64(e.keys.answering_message.public)), signatureOf(e.answer.signature)))

  const answers = e.answerBody.split('\n').slice(0, -1)
  const { journal } = JSON.parse(answers.pop())
  holds('the number of answers', answers.length === lines.length)
  const entries = lines.map((line, i) => {
    const m = JSON.parse(line)
    return JSON.stringify({ index: journal.first + i, at: journal.at, direction: 'answered', peer: /from="(\d+)"/.exec(header)[1], id: m.id, leaf: leaves[i].toString('base64url'), answer: leafOf(Buffer.from(answers[i])).toString('base64url'), item: m.purpose?.item ?? null, case: m.purpose?.case ?? null, grant: m.grant ?? null, private: journal.private[i] })
  })
  const hashes = (list) => list.map(b64)
  const top = rangeRoot(journal.first, entries.map((x) => leafOf(Buffer.from(x))), journal.head.size, hashes(journal.range.left), hashes(journal.range.right))
  holds('the range proof', top.toString('base64url') === journal.head.root)
  const { at, log, root: r, size, suite } = journal.head
  holds("the head's signature", verify(null, Buffer.from(`tonghui/v1/tree-head\n${canonical({ at, log, root: r, size, suite })}`), edPublic(b64(e.keys.answering_journal.public)), b64(journal.head.sig)))
  return { entries, answers: answers.map((a) => JSON.parse(a)) }
}

export const document = join(root, 'docs/protocol.md')

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const written = `<!-- example begins -->\n${write(await make())}<!-- example ends -->\n`
  check(read(written))
  process.stdout.write(written)
}
