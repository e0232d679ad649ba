// sm2.ts: checking a signature of GB/T 32918.2-2016 over the recommended curve of part 5. Point arithmetic is @noble/curves'.
// Keys are 04 ‖ x ‖ y, signatures r ‖ s, the user id is the standard's default. Loaded only when needed.
import { weierstrass } from '@noble/curves/abstract/weierstrass.js'
import { fromHex, hex, join, utf8 } from './bytes'
import { sm3 } from './sm3'

const curve = {
  p: BigInt('0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffff'),
  n: BigInt('0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123'),
  h: 1n,
  a: BigInt('0xfffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc'),
  b: BigInt('0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93'),
  Gx: BigInt('0x32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7'),
  Gy: BigInt('0xbc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0'),
}
const Point = weierstrass(curve)

const number = (bytes: Uint8Array): bigint => BigInt(`0x${hex(bytes)}`)
const field = (value: bigint): Uint8Array => fromHex(value.toString(16).padStart(64, '0'))

/* Z of part 2, clause 5.5: who signs, bound to the curve and the key. */
function identity(publicKey: Uint8Array, userId: string): Uint8Array {
  const id = utf8(userId)
  const bits = id.length * 8
  return sm3(
    join(
      Uint8Array.of(bits >> 8, bits & 255),
      id,
      field(curve.a),
      field(curve.b),
      field(curve.Gx),
      field(curve.Gy),
      publicKey.slice(1),
    ),
  )
}

export function sm2Verify(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  userId = '1234567812345678',
): boolean {
  if (publicKey.length !== 65 || publicKey[0] !== 4 || signature.length !== 64) return false
  const r = number(signature.slice(0, 32))
  const s = number(signature.slice(32))
  if (r < 1n || r >= curve.n || s < 1n || s >= curve.n) return false
  const t = (r + s) % curve.n
  if (t === 0n) return false
  try {
    const key = Point.fromBytes(publicKey)
    const e = number(sm3(join(identity(publicKey, userId), message)))
    const sum = Point.BASE.multiplyUnsafe(s).add(key.multiplyUnsafe(t))
    if (sum.is0()) return false
    return (e + sum.toAffine().x) % curve.n === r
  } catch {
    return false
  }
}
