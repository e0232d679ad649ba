// Where the case is decided: Hebei.
import { owner, walks } from './walk.mjs'

walks(owner, [
  ['killed at a send or a receive', ['send', 'receive'], 'kill'],
  ['ENOSPC at a write', ['write'], 'ENOSPC'],
  ['EIO at a read of a file', ['read'], 'EIO'],
  ['EIO at syncs for a while', ['sync'], 'EIO', 300],
])
