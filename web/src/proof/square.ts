// square.ts: a certificate's square read and its signature checked here, with nothing but the region's trust document: Base45, zlib, COSE_Sign1.
// It says nothing of the status: that needs the network.
import { fromBase64url, hex, type Bytes } from './bytes'
import { suite } from './suite'
import type { RegionInfo } from '@/lib/types'

const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:'
export const isSquare = (text: string): boolean => text.startsWith('TH1:')

function unbase45(text: string): Bytes {
  const out: number[] = []
  for (let i = 0; i < text.length; i += 3) {
    const part = [...text.slice(i, i + 3)].map((c) => letters.indexOf(c))
    const value = (part[0] ?? -1) + (part[1] ?? -1) * 45 + (part[2] ?? 0) * 2025
    if (part.length === 1 || part.some((v) => v < 0) || value > (part.length === 3 ? 0xffff : 0xff)) throw new Error('base45')
    if (part.length === 3) out.push(value >> 8)
    out.push(value & 0xff)
  }
  return Uint8Array.from(out)
}

async function unzip(bytes: Bytes): Promise<Bytes> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'))
  const unpacked = new Uint8Array(await new Response(stream).arrayBuffer())
  if (unpacked.length > 8192) throw new Error('too large')
  return unpacked
}

type Cbor = number | string | boolean | null | Bytes | Cbor[] | Map<number | string, Cbor>

/* Definite lengths, integers, text, bytes, lists, maps: what our own squares use. */
function cbor(bytes: Bytes): Cbor {
  let at = 0
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const head = (): [number, number] => {
    const first = view.getUint8(at++)
    const kind = first >> 5
    const short = first & 31
    if (short < 24) return [kind, short]
    if (short > 27 || kind === 7) throw new Error('cbor')
    const size = 1 << (short - 24)
    const value = size === 8 ? Number(view.getBigUint64(at)) : size === 4 ? view.getUint32(at) : size === 2 ? view.getUint16(at) : view.getUint8(at)
    at += size
    return [kind, value]
  }
  const take = (n: number): Bytes => {
    if (at + n > bytes.length) throw new Error('cbor')
    at += n
    return bytes.slice(at - n, at)
  }
  const one = (depth: number): Cbor => {
    if (depth > 16) throw new Error('cbor')
    const [kind, value] = head()
    if (kind === 0) return value
    if (kind === 1) return -1 - value
    if (kind === 2) return take(value)
    if (kind === 3) return new TextDecoder('utf-8', { fatal: true }).decode(take(value))
    if (kind === 4) return Array.from({ length: value }, () => one(depth + 1))
    if (kind === 5) return new Map(Array.from({ length: value }, () => [one(depth + 1) as number | string, one(depth + 1)]))
    if (kind === 6) return one(depth + 1)
    if (value >= 20 && value <= 22) return value === 22 ? null : value === 21
    throw new Error('cbor')
  }
  const read = one(0)
  if (at !== bytes.length) throw new Error('cbor')
  return read
}

function byteString(bytes: Bytes): number[] {
  const n = bytes.length
  return [...(n < 24 ? [0x40 | n] : n < 256 ? [0x58, n] : [0x59, n >> 8, n & 0xff]), ...bytes]
}

export interface SquareSeen {
  issuer: string
  type: string
  number: string
  issued: number
  expires: number | null
  fields: Record<string, string | number | boolean>
  by: string
}

const algorithms: Record<string, string> = { '-7': 'p256-sha256', '-8': 'ed25519-sha256', '-65537': 'sm2-sm3' }
const instant = (text: string): number => Date.parse(text) / 1000

/* Throws when it is no square of the region, when no certificate key of its issuer signed it, or when its days are over. */
export async function checkSquare(text: string, info: RegionInfo): Promise<SquareSeen> {
  const sign1 = cbor(await unzip(unbase45(text.slice(4))))
  if (!Array.isArray(sign1) || sign1.length !== 4) throw new Error('cose')
  const [protectedBytes, , payload, signature] = sign1 as [Bytes, Cbor, Bytes, Bytes]
  const header = cbor(protectedBytes) as Map<number, Cbor>
  const claims = cbor(payload) as Map<number, Cbor>
  const content = claims.get(-65537) as Map<string, Cbor>
  const issuer = String(claims.get(1))
  const issued = Number(claims.get(6))
  const expires = claims.has(4) ? Number(claims.get(4)) : null
  const kid = hex(header.get(4) as Bytes)
  const member = info.document.signed.members.find((each) => each.code === issuer)
  const key = member?.keys.find((each) => each.kid === kid)
  const use = key ? (Array.isArray(key.use) ? key.use : key.use.split('|')) : []
  if (!key || !use.includes('certificate') || key.suite !== algorithms[String(header.get(1))]) throw new Error('unknown key')
  if (issued < instant(key.not_before) || issued > instant(key.not_after)) throw new Error('key out of time')
  const structure = Uint8Array.from([0x84, 0x6a, ...new TextEncoder().encode('Signature1'), ...byteString(protectedBytes), 0x40, ...byteString(payload)])
  const { ok, by } = await (await suite(key.suite)).verify(fromBase64url(key.public), structure, signature)
  if (!ok) throw new Error('signature')
  const now = Date.now() / 1000
  if ((expires !== null && now >= expires) || issued > now + 60) throw new Error('out of time')
  const fields = Object.fromEntries((content.get('f') as Map<string, string | number | boolean>).entries())
  return { issuer, type: String(content.get('t')), number: String(content.get('n')), issued, expires, fields, by }
}
