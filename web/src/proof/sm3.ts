// sm3.ts: the hash of GB/T 32905-2016. Loaded only when a log is kept in the national suite.
import type { Bytes } from './bytes'

const start = [0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e]

const rotate = (x: number, n: number): number => ((x << (n & 31)) | (x >>> (32 - (n & 31)))) >>> 0
const p0 = (x: number): number => (x ^ rotate(x, 9) ^ rotate(x, 17)) >>> 0
const p1 = (x: number): number => (x ^ rotate(x, 15) ^ rotate(x, 23)) >>> 0

function padded(message: Uint8Array): Uint8Array {
  const size = Math.ceil((message.length + 9) / 64) * 64
  const out = new Uint8Array(size)
  out.set(message)
  out[message.length] = 0x80
  const view = new DataView(out.buffer)
  view.setUint32(size - 8, Math.floor(message.length / 0x20000000))
  view.setUint32(size - 4, (message.length << 3) >>> 0)
  return out
}

function compress(state: Uint32Array, view: DataView, offset: number): void {
  const w = new Uint32Array(68)
  const at = (i: number): number => w[i] as number
  for (let i = 0; i < 16; i++) w[i] = view.getUint32(offset + 4 * i)
  for (let i = 16; i < 68; i++)
    w[i] = p1(at(i - 16) ^ at(i - 9) ^ rotate(at(i - 3), 15)) ^ rotate(at(i - 13), 7) ^ at(i - 6)
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number]
  for (let i = 0; i < 64; i++) {
    const t = i < 16 ? 0x79cc4519 : 0x7a879d8a
    const ss1 = rotate((rotate(a, 12) + e + rotate(t, i)) >>> 0, 7)
    const ss2 = (ss1 ^ rotate(a, 12)) >>> 0
    const ff = i < 16 ? a ^ b ^ c : (a & b) | (a & c) | (b & c)
    const gg = i < 16 ? e ^ f ^ g : (e & f) | (~e & g)
    const tt1 = (ff + d + ss2 + (at(i) ^ at(i + 4))) >>> 0
    const tt2 = (gg + h + ss1 + at(i)) >>> 0
    d = c
    c = rotate(b, 9)
    b = a
    a = tt1
    h = g
    g = rotate(f, 19)
    f = e
    e = p0(tt2)
  }
  ;[a, b, c, d, e, f, g, h].forEach((word, i) => {
    state[i] = (state[i] as number) ^ word
  })
}

export function sm3(message: Uint8Array): Bytes {
  const data = padded(message)
  const view = new DataView(data.buffer)
  const state = Uint32Array.from(start)
  for (let offset = 0; offset < data.length; offset += 64) compress(state, view, offset)
  const out = new Uint8Array(32)
  const write = new DataView(out.buffer)
  state.forEach((word, i) => write.setUint32(4 * i, word))
  return out
}
