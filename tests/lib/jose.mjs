// jose.mjs: tokens made by hand for tests, with a node's own certificate keys: what an honest or a lying issuer could send.
import { createHash, createPrivateKey, randomBytes, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { edPrivate } from './peer.mjs'

export const b64 = (value) => Buffer.from(typeof value === 'string' || value instanceof Uint8Array ? value : JSON.stringify(value)).toString('base64url')
export const sha256 = (text) => createHash('sha256').update(text).digest('base64url')

/* keys/<name>.json of a node as a private key: P-256 or Ed25519. */
export function keyOf(dir, name = 'certificate-p256') {
  const json = JSON.parse(readFileSync(join(dir, 'keys', `${name}.json`), 'utf8'))
  const open = Buffer.from(json.public, 'base64url')
  if (json.suite === 'ed25519-sha256') return { kid: json.kid, alg: 'EdDSA', key: edPrivate(Buffer.from(json.secret, 'base64url')) }
  const jwk = { kty: 'EC', crv: 'P-256', x: open.subarray(1, 33).toString('base64url'), y: open.subarray(33).toString('base64url') }
  return { kid: json.kid, alg: 'ES256', jwk, key: createPrivateKey({ key: { ...jwk, d: json.secret }, format: 'jwk' }) }
}
export function jws(header, payload, key) {
  const input = `${b64(header)}.${b64(payload)}`
  const signature = key.alg === 'EdDSA' ? sign(null, Buffer.from(input), key.key) : sign('sha256', Buffer.from(input), { key: key.key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}
export function disclosure(name, value) {
  return b64(JSON.stringify([randomBytes(16).toString('base64url'), name, value]))
}
/* An SD-JWT VC; `selective` become disclosures. */
export function sdJwt(payload, selective, key, header = {}) {
  const disclosures = Object.entries(selective).map(([name, value]) => disclosure(name, value))
  const body = { ...payload, ...(disclosures.length ? { _sd: disclosures.map(sha256), _sd_alg: 'sha-256' } : {}) }
  return [jws({ alg: key.alg, typ: 'dc+sd-jwt', kid: key.kid, ...header }, body, key), ...disclosures, ''].join('~')
}
export function keyBinding(presentation, key, claims, header = {}) {
  return presentation + jws({ alg: key.alg, typ: 'kb+jwt', ...header }, { iat: Math.floor(Date.now() / 1000), sd_hash: sha256(presentation), ...claims }, key)
}
export function statusList(sub, key, { bits = 2, bytes = Buffer.alloc(32), lst, header = {}, ...claims } = {}) {
  const now = Math.floor(Date.now() / 1000)
  return jws({ alg: key.alg, typ: 'statuslist+jwt', kid: key.kid, ...header }, { sub, iat: now, exp: now + 3600, ttl: 300, status_list: { bits, lst: lst ?? deflateSync(bytes, { level: 9 }).toString('base64url') }, ...claims }, key)
}
