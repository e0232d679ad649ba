// peer.mjs: a peer of the region's protocol in another language, from the protocol's text alone: batches signed as RFC 9421 says, answers
// believed only after digest, signature, entries, range proof and tree head were checked. Ed25519 and SHA-256.
import { createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'

export const sha256 = (...parts) => {
  const h = createHash('sha256')
  for (const part of parts) h.update(part)
  return h.digest()
}
export const leafOf = (bytes) => sha256(Buffer.from([0]), bytes)
export const nodeOf = (a, b) => sha256(Buffer.from([1]), a, b)
export function rootOf(leaves) {
  if (leaves.length === 1) return leaves[0]
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return nodeOf(rootOf(leaves.slice(0, k)), rootOf(leaves.slice(k)))
}
export function uuid7(at = Date.now()) {
  const b = randomBytes(16)
  b.writeUIntBE(at, 0, 6)
  b[6] = 0x70 | (b[6] & 0x0f)
  b[8] = 0x80 | (b[8] & 0x3f)
  const h = b.toString('hex')
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`
}
export function edPrivate(secret) {
  return createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), secret]), format: 'der', type: 'pkcs8' })
}
export function edPublic(bytes) {
  return createPublicKey({ key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), bytes]), format: 'der', type: 'spki' })
}
export function keyRead(dir, name) {
  const json = JSON.parse(readFileSync(join(dir, 'keys', `${name}.json`), 'utf8'))
  const key = json.suite === 'ed25519-sha256' ? edPrivate(Buffer.from(json.secret, 'base64url')) : null
  return { ...json, key, head: (h) => headSign(h, json, key) }
}
export const kidOf = (pub) => sha256(pub).toString('hex').slice(0, 16)
/* A tree head as the owner of a journal key signs it: what a liar with that key can show. */
export function headSign({ at, log, root, size }, { suite, kid }, key) {
  const sig = sign(null, Buffer.from(`tonghui/v1/tree-head\n${canonical({ at, log, root, size, suite })}`), key)
  return { log, size, root, at, suite, kid, sig: sig.toString('base64url') }
}
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value && typeof value === 'object')
    return `{${Object.keys(value).sort().map((k) => `${JSON.stringify(k)}:${canonical(value[k])}`).join(',')}}`
  return JSON.stringify(value)
}

export class Peer {
  constructor(region, code) {
    this.region = region
    this.code = code
    const dir = region.nodes[code].dir
    this.message = keyRead(dir, 'message')
    this.tls = { cert: readFileSync(join(dir, 'keys/tls.cert.pem')), key: readFileSync(join(dir, 'keys/tls.key.pem')) }
    this.sequence = 0
  }
  line(to, type, body, extra = {}) {
    return { id: uuid7(), type, to, at: new Date().toISOString().replace(/\.(\d{3})Z/, '.$1000Z'), ...extra, body }
  }
  /* An honest batch; `tweak` may spoil any part of it. */
  batch(to, lines, tweak = {}) {
    const texts = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)))
    const body = tweak.body ?? Buffer.from(texts.map((text) => `${text}\n`).join(''))
    const root = rootOf((tweak.rootLines ?? texts).map((text) => leafOf(Buffer.from(text))))
    const header = tweak.header ?? `v=1, from="${tweak.from ?? this.code}", to="${tweak.to ?? to}", n=${tweak.n ?? texts.length}, root=:${root.toString('base64')}:, seq=${++this.sequence}, suite="${tweak.suite ?? 'ed25519-sha256'}"`
    const digest = `sha-256=:${sha256(tweak.digestOf ?? body).toString('base64')}:`
    const uri = tweak.uri ?? `https://127.0.0.1:${this.region.nodes[to].peerPort}/exchange/v1/batch`
    const created = tweak.created ?? Math.floor(Date.now() / 1000)
    const params = `("@method" "@target-uri" "content-digest" "tonghui-batch");created=${created};expires=${tweak.expires ?? created + 300};nonce="${randomBytes(12).toString('base64url')}";keyid="${tweak.keyid ?? this.message.kid}";tag="${tweak.tag ?? 'tonghui-batch'}"${tweak.params ?? ''}`
    const base = `"@method": POST\n"@target-uri": ${uri}\n"content-digest": ${digest}\n"tonghui-batch": ${header}\n"@signature-params": ${params}`
    const signature = sign(null, Buffer.from(base), tweak.key ?? this.message.key)
    return {
      uri,
      body,
      texts,
      signatureInput: params,
      digest,
      header,
      headers: {
        'Content-Type': 'application/x-ndjson',
        'Content-Digest': digest,
        'Tonghui-Batch': header,
        'Signature-Input': `tonghui=${params}`,
        Signature: `tonghui=:${signature.toString('base64')}:`,
        ...tweak.headers,
      },
    }
  }
  send(to, batch, tls = this.tls) {
    return this.request(to, { path: '/exchange/v1/batch', method: 'POST', ...tls, headers: { ...batch.headers, 'Content-Length': batch.body.length } }, batch.body)
  }
  get(to, path, tls = this.tls) {
    return this.request(to, { path, method: 'GET', ...tls })
  }
  request(to, options, body) {
    return new Promise((done, failed) => {
      const request = https.request(
        { host: '127.0.0.1', port: this.region.nodes[to].peerPort, rejectUnauthorized: false, minVersion: 'TLSv1.3', agent: false, ...options },
        (response) => {
          const pieces = []
          response.on('data', (piece) => pieces.push(piece))
          response.on('end', () => done({ status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces) }))
          response.on('error', failed)
        },
      )
      request.on('error', failed)
      request.setTimeout(20000, () => request.destroy(new Error('timeout')))
      request.end(body)
    })
  }
  /* Send lines and give back the checked answers; throws when anything of the proof does not hold. */
  async ask(to, lines, tweak) {
    const batch = this.batch(to, lines, tweak)
    const answer = await this.send(to, batch)
    if (answer.status !== 200) return { status: answer.status, problem: JSON.parse(answer.body.toString()), batch }
    return { status: 200, batch, answer, ...this.check(to, batch, answer) }
  }
  check(to, batch, answer) {
    const trust = this.region.trust().signed
    const member = trust.members.find((each) => each.code === to)
    const texts = answer.body.toString().split('\n').slice(0, -1)
    const trailer = JSON.parse(texts.pop()).journal
    if (texts.length !== batch.texts.length) throw new Error('the answer has another number of lines')
    if (member.keys[0].suite !== 'ed25519-sha256') return { lines: texts.map((text) => JSON.parse(text)), trailer, checked: false }
    const digest = `sha-256=:${sha256(answer.body).toString('base64')}:`
    if (answer.headers['content-digest'] !== digest) throw new Error('the digest does not hold')
    const input = answer.headers['signature-input'].replace(/^tonghui=/, '')
    const base = `"@status": 200\n"content-digest": ${digest}\n"tonghui-batch";req: ${batch.header}\n"@signature-params": ${input}`
    const kid = /keyid="([^"]*)"/.exec(input)[1]
    const key = member.keys.find((each) => each.kid === kid && each.use === 'message')
    const signature = Buffer.from(/:(.*):/.exec(answer.headers.signature)[1], 'base64')
    if (!verify(null, Buffer.from(base), edPublic(Buffer.from(key.public, 'base64url')), signature)) throw new Error('the signature does not hold')
    this.prove(member, batch, texts, trailer)
    return { lines: texts.map((text) => JSON.parse(text)), trailer, checked: true }
  }
  /* The entries as the provider must have written them, up to its signed root. */
  prove(member, batch, answers, trailer) {
    const text = (value) => value || null
    const leaves = answers.map((answer, i) => {
      /* A line that could not be read as a message is journaled by its hash alone; its answer names no id. */
      const m = JSON.parse(answer).id ? JSON.parse(batch.texts[i]) : {}
      return leafOf(
        Buffer.from(
          JSON.stringify({ index: trailer.first + i, at: trailer.at, direction: 'answered', peer: this.code, id: text(m.id), leaf: leafOf(Buffer.from(batch.texts[i])).toString('base64url'), answer: leafOf(Buffer.from(answer)).toString('base64url'), item: text(m.purpose?.item), case: text(m.purpose?.case), grant: text(m.grant), private: trailer.private[i] }),
        ),
      )
    })
    const { head } = trailer
    const root = rangeRoot(trailer.first, leaves, head.size, trailer.range.left.map((h) => Buffer.from(h, 'base64url')), trailer.range.right.map((h) => Buffer.from(h, 'base64url')))
    if (root.toString('base64url') !== head.root) throw new Error('the range proof does not lead to the root')
    const { at, log, root: r, size, suite } = head
    const key = member.keys.find((each) => each.kid === head.kid && each.use === 'journal')
    const signed = `tonghui/v1/tree-head\n${canonical({ at, log, root: r, size, suite })}`
    if (!verify(null, Buffer.from(signed), edPublic(Buffer.from(key.public, 'base64url')), Buffer.from(head.sig, 'base64url'))) throw new Error('the head is not signed')
  }
}

/* RFC 9162 trees: the root from the subtrees left of a run, the run, and those right of it. */
export function rangeRoot(first, leaves, size, left, right) {
  const end = first + leaves.length
  left = [...left]
  right = [...right]
  const walk = (from, to) => {
    if (to <= first) return left.shift()
    if (from >= end) return right.shift()
    if (to - from === 1) return leaves[from - first]
    let k = 1
    while (k * 2 < to - from) k *= 2
    const a = walk(from, from + k)
    const b = walk(from + k, to)
    return nodeOf(a, b)
  }
  const root = walk(0, size)
  if (left.length || right.length) throw new Error('hashes are left over')
  return root
}
