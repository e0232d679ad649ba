// fault.mjs: the outside of tests/faults/shim.c: a small shared file by which a running node's n-th call of a kind fails or kills it.
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { binary } from './region.mjs'

export const kinds = { write: 1, sync: 2, read: 4, connect: 8, accept: 16, send: 32, receive: 64 }
export const errnos = { kill: 0, EIO: 5, ENOSPC: 28, ECONNRESET: 104, EMFILE: 24 }

export class Fault {
  constructor(dir, code) {
    this.file = join(dir, `fault-${code}`)
    this.fd = openSync(this.file, 'w+')
    this.#put([0, 0, 0, 0, 0, 0, 0, 0])
  }
  get env() {
    return { LD_PRELOAD: join(binary, '../../../tests/faults/faultshim.so'), TONGHUI_FAULT_FILE: this.file }
  }
  #put(words) {
    writeSync(this.fd, Buffer.from(new BigInt64Array(words.map(BigInt)).buffer), 0, words.length * 8, 0)
  }
  /* `what`: names of kinds; `outcome`: kill or an errno's name; at the n-th call, and at all later ones when `sticky`. */
  arm(what, outcome, n, sticky = false) {
    this.#put([0, 0, 0, 0, 0, 0, 0, 0])
    const mask = what.reduce((m, k) => m | kinds[k], 0)
    this.#put([0, errnos[outcome], n, 0, 0, Number(sticky)])
    this.#put([mask])
  }
  disarm() {
    this.#put([0])
    return this.read()
  }
  read() {
    const b = Buffer.alloc(48)
    readSync(this.fd, b, 0, 48, 0)
    return { count: Number(b.readBigInt64LE(24)), fired: Number(b.readBigInt64LE(32)) }
  }
  close() {
    closeSync(this.fd)
  }
}
