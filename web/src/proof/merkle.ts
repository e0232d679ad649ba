// merkle.ts: RFC 9162 section 2.1 in the reader's hands: leaf hash, node hash, and the climb from a leaf to the root.
import { join, type Bytes } from './bytes'
import type { Suite } from './suite'

export const leafHash = (suite: Suite, bytes: Uint8Array): Promise<Bytes> => suite.hash(join(Uint8Array.of(0), bytes))

export const nodeHash = (suite: Suite, left: Uint8Array, right: Uint8Array): Promise<Bytes> =>
  suite.hash(join(Uint8Array.of(1), left, right))

export interface Climb {
  sibling: Bytes
  side: 'left' | 'right'
  result: Bytes
}

/* Section 2.1.3.2. Indexes pass 2^32, hence no bit operators. Throws when the path has the wrong length. */
export async function climb(
  suite: Suite,
  leaf: Bytes,
  index: number,
  size: number,
  path: Bytes[],
): Promise<{ root: Bytes; steps: Climb[] }> {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size)
    throw new Error('the entry stands outside the tree')
  let fn = index
  let sn = size - 1
  let root = leaf
  const steps: Climb[] = []
  for (const sibling of path) {
    if (sibling.length !== 32) throw new Error('a hash of the path has the wrong length')
    if (sn === 0) throw new Error('the path is too long')
    if (fn % 2 === 1 || fn === sn) {
      root = await nodeHash(suite, sibling, root)
      steps.push({ sibling, side: 'left', result: root })
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2)
        sn = Math.floor(sn / 2)
      }
    } else {
      root = await nodeHash(suite, root, sibling)
      steps.push({ sibling, side: 'right', result: root })
    }
    fn = Math.floor(fn / 2)
    sn = Math.floor(sn / 2)
  }
  if (sn !== 0) throw new Error('the path is too short')
  return { root, steps }
}
