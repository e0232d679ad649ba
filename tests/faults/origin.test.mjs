// Where the case is started: Tianjin.
import { origin, walks } from './walk.mjs'

walks(origin, [
  ['killed at a write or a sync of a file', ['write', 'sync'], 'kill'],
  ['EIO at a write or a sync of a file', ['write', 'sync'], 'EIO'],
  ['ENOSPC at writes for a while', ['write'], 'ENOSPC', 400, 'out-of-space'],
  ['ECONNRESET at connect, accept, send and receive', ['connect', 'accept', 'send', 'receive'], 'ECONNRESET'],
])
