// suite.ts: hashing and signature checking of the two suites, and of the third that certificates may have. The browser's own WebCrypto is used where it can; where a page is not
// served from a secure place (plain HTTP in a local network) or the browser is older, @noble's audited code is loaded instead.
import type { Bytes } from './bytes'

export type SuiteName = 'ed25519-sha256' | 'sm2-sm3' | 'p256-sha256'

export interface Suite {
  name: SuiteName
  hashName: string
  hash(bytes: Bytes): Promise<Bytes>
  verify(publicKey: Bytes, message: Bytes, signature: Bytes): Promise<{ ok: boolean; by: string }>
}

export async function sha256(bytes: Bytes): Promise<Bytes> {
  if (globalThis.crypto?.subtle) return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  const { sha256: hash } = await import('@noble/hashes/sha2.js')
  return hash(bytes) as Bytes
}

async function ed25519(publicKey: Bytes, message: Bytes, signature: Bytes): Promise<{ ok: boolean; by: string }> {
  if (publicKey.length !== 32 || signature.length !== 64) return { ok: false, by: 'length' }
  if (globalThis.crypto?.subtle) {
    try {
      const key = await crypto.subtle.importKey('raw', publicKey, { name: 'Ed25519' }, false, ['verify'])
      return { ok: await crypto.subtle.verify({ name: 'Ed25519' }, key, signature, message), by: 'WebCrypto' }
    } catch {
      // no Ed25519 in this browser
    }
  }
  const { ed25519: curve } = await import('@noble/curves/ed25519.js')
  try {
    return { ok: curve.verify(signature, message, publicKey, { zip215: false }), by: '@noble/curves' }
  } catch {
    return { ok: false, by: '@noble/curves' }
  }
}

async function p256(publicKey: Bytes, message: Bytes, signature: Bytes): Promise<{ ok: boolean; by: string }> {
  if (publicKey.length !== 65 || signature.length !== 64) return { ok: false, by: 'length' }
  if (globalThis.crypto?.subtle) {
    const curve = { name: 'ECDSA', namedCurve: 'P-256' }
    const key = await crypto.subtle.importKey('raw', publicKey, curve, false, ['verify'])
    return { ok: await crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, signature, message), by: 'WebCrypto' }
  }
  const { p256: curve } = await import('@noble/curves/nist.js')
  try {
    return { ok: curve.verify(signature, message, publicKey, { lowS: false }), by: '@noble/curves' }
  } catch {
    return { ok: false, by: '@noble/curves' }
  }
}

const international: Suite = { name: 'ed25519-sha256', hashName: 'SHA-256', hash: sha256, verify: ed25519 }

async function national(): Promise<Suite> {
  const [{ sm3 }, { sm2Verify }] = await Promise.all([import('./sm3'), import('./sm2')])
  return {
    name: 'sm2-sm3',
    hashName: 'SM3',
    hash: async (bytes) => sm3(bytes),
    verify: async (publicKey, message, signature) => ({ ok: sm2Verify(publicKey, message, signature), by: 'SM2' }),
  }
}

export async function suite(name: string): Promise<Suite> {
  if (name === 'ed25519-sha256') return international
  if (name === 'p256-sha256') return { name: 'p256-sha256', hashName: 'SHA-256', hash: sha256, verify: p256 }
  if (name === 'sm2-sm3') return national()
  throw new Error(`unknown suite ${name}`)
}
