// liar.mjs: sits in a member's place with that member's own keys, between its peers and its real node, and changes what it likes. What it is
// not told to spoil passes unharmed, so that every lie has its honest control beside it.
import { randomBytes, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import { keyRead, sha256 } from './peer.mjs'

const tlsOf = (dir) => ({ cert: readFileSync(join(dir, 'keys/tls.cert.pem')), key: readFileSync(join(dir, 'keys/tls.key.pem')) })
const signed = ['content-digest', 'signature-input', 'signature', 'content-type']

export class Liar {
  /* `code` must be one of the region's `aside`. Only batches of `victim` are spoiled. */
  constructor(region, code, victim) {
    Object.assign(this, { region, code, victim })
    this.node = region.nodes[code]
    this.message = keyRead(this.node.dir, 'message')
    this.journal = keyRead(this.node.dir, 'journal')
    this.lie = null // async (batch, forward, response) => true when it has answered
    this.agents = {}
  }
  open() {
    this.server = https.createServer({ ...tlsOf(this.node.dir), minVersion: 'TLSv1.3' }, (request, response) => {
      const pieces = []
      request.on('error', () => {})
      response.on('error', () => {})
      request.on('data', (piece) => pieces.push(piece))
      request.on('end', () => this.#answer(request, response, Buffer.concat(pieces)).catch(() => response.destroy()))
    })
    return new Promise((done) => this.server.listen(this.node.peerPort, '127.0.0.1', done))
  }
  async #answer(request, response, body) {
    const from = /from="(\d+)"/.exec(request.headers['tonghui-batch'] ?? '')?.[1] ?? this.victim
    const forward = () => this.forward(from, request, body)
    const batch = { header: request.headers['tonghui-batch'], body, lines: body.toString().split('\n').slice(0, -1), request }
    const asks = batch.lines.some((line) => /"type":"(verify|query)"/.test(line))
    if (this.lie && from === this.victim && asks && (await this.lie(batch, forward, response))) return
    this.give(response, await forward())
  }
  /* To the real node, as the member that called us. */
  forward(from, request, body) {
    this.agents[from] ??= new https.Agent({ keepAlive: true, rejectUnauthorized: false, ...tlsOf(this.region.nodes[from].dir) })
    return new Promise((done, failed) => {
      const onward = https.request({ host: '127.0.0.1', port: this.node.realPort, path: request.url, method: request.method, headers: request.headers, agent: this.agents[from] }, (answer) => {
        const pieces = []
        answer.on('data', (piece) => pieces.push(piece))
        answer.on('end', () => done({ status: answer.statusCode, headers: Object.fromEntries(signed.filter((h) => answer.headers[h]).map((h) => [h, answer.headers[h]])), body: Buffer.concat(pieces) }))
        answer.on('error', failed)
      })
      onward.on('error', failed)
      onward.end(body)
    })
  }
  give(response, { status, headers, body }) {
    response.writeHead(status, { ...headers, 'Content-Length': body.length })
    response.end(body)
  }
  /* The answer as this member would sign it: its own key, or whatever `tweak` says. */
  sign(batch, body, tweak = {}) {
    const digest = `sha-256=:${sha256(body).toString('base64')}:`
    const created = Math.floor(Date.now() / 1000)
    const params = `("@status" "content-digest" "tonghui-batch";req);created=${created};expires=${created + 300};nonce="${randomBytes(12).toString('base64url')}";keyid="${tweak.keyid ?? this.message.kid}";tag="${tweak.tag ?? 'tonghui-answer'}"`
    const base = `"@status": 200\n"content-digest": ${digest}\n"tonghui-batch";req: ${tweak.header ?? batch.header}\n"@signature-params": ${params}`
    const signature = sign(null, Buffer.from(base), tweak.key ?? this.message.key)
    return { status: 200, body, headers: { 'content-type': 'application/x-ndjson', 'content-digest': digest, 'signature-input': `tonghui=${params}`, signature: `tonghui=:${signature.toString('base64')}:` } }
  }
  async close() {
    this.server.closeAllConnections()
    for (const agent of Object.values(this.agents)) agent.destroy()
    await new Promise((done) => this.server.close(done))
  }
}
