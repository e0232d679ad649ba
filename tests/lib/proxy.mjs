// proxy.mjs: a TCP proxy in front of a node's peers' listener: delay, loss of connections, partition, per caller. It knows who calls by the
// process that owns the other end of the connection, so that one link of the region can be cut and the others left.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import net from 'node:net'

/* The inode of the socket at our end of 127.0.0.1:`port`, as /proc/net/tcp tells it. */
function inodeOf(port) {
  const hex = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const text = readFileSync('/proc/net/tcp', 'latin1')
  for (let at = text.indexOf(`: ${hex} `); at >= 0; at = text.indexOf(`: ${hex} `, at + 1)) {
    const words = text.slice(text.lastIndexOf('\n', at) + 1, text.indexOf('\n', at)).trim().split(/\s+/)
    if (words[9] !== '0') return words[9]
  }
  return null
}
function owns(pid, inode) {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`
      } catch {
        return false
      }
    })
  } catch {
    return false
  }
}

/* Node.js never ends a process whose socket was reset while its end was on its way: such a one is destroyed. */
const reset = (socket) => (socket.writableEnded ? socket.destroy() : socket.resetAndDestroy())

export class Proxy {
  constructor(port, target, nodes) {
    Object.assign(this, { port, target, nodes })
    this.rules = {} // by caller's code or '*': {delay: ms, hold: true (bytes vanish), holdAnswers: true (those of the node do), reset: true (connections are refused)}
    this.pairs = new Set()
    this.connections = 0
  }
  open() {
    this.server = net.createServer((socket) => this.#accept(socket))
    return new Promise((done, failed) => {
      this.server.once('error', failed)
      this.server.listen(this.port, '127.0.0.1', done)
    })
  }
  #caller(socket) {
    const inode = inodeOf(socket.remotePort)
    return this.nodes().find((node) => node.child && inode && owns(node.child.pid, inode))?.code ?? '?'
  }
  rule(code) {
    return { ...this.rules['*'], ...this.rules[code] }
  }
  /* Finding out who calls is dear: only done while there are rules for somebody, or when somebody asks. */
  #accept(socket) {
    let known
    const who = () => (known ??= this.#caller(socket))
    const rule = () => (Object.keys(this.rules).some((code) => code !== '*') ? this.rule(who()) : (this.rules['*'] ?? {}))
    socket.on('error', () => {})
    if (rule().reset) return reset(socket)
    const onward = net.connect(this.target, '127.0.0.1')
    const pair = { who, socket, onward }
    this.pairs.add(pair)
    this.connections++
    const later = (act) => {
      const { delay } = rule()
      if (delay) setTimeout(act, delay)
      else act()
    }
    const pass = (from, to) => {
      from.on('data', (bytes) => {
        const { hold, holdAnswers } = rule()
        if (!hold && !(holdAnswers && from === onward)) later(() => to.destroyed || to.write(bytes))
      })
      from.on('end', () => later(() => to.end()))
      from.on('error', () => to.destroy())
      from.on('close', () => {
        later(() => to.destroy())
        this.pairs.delete(pair)
      })
    }
    pass(socket, onward)
    pass(onward, socket)
  }
  /* Connections of `caller` (of everybody without) break at once. */
  drop(caller) {
    for (const pair of this.pairs)
      if (!caller || pair.who() === caller) {
        reset(pair.socket)
        reset(pair.onward)
      }
  }
  cut(caller = '*') {
    this.rules[caller] = { reset: true }
    this.drop(caller === '*' ? undefined : caller)
  }
  heal(caller = '*') {
    delete this.rules[caller]
  }
  close() {
    this.drop()
    return new Promise((done) => this.server.close(done))
  }
}
