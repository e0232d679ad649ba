// receipt.ts: checking a receipt without asking anybody: entry → leaf → path → root → signed head → key in the trust document.
// Every step leaves behind what it computed, so that a page can show the work and not only the verdict.
import type { Head, Receipt, TrustDocument, TrustKey } from '@/lib/types'
import { canonical, fromBase64url, fromHex, hex, join, same, utf8, type Bytes } from './bytes'
import { climb, leafHash, type Climb } from './merkle'
import { sha256, suite as suiteOf, type Suite } from './suite'

export type StepName = 'message' | 'answer' | 'entry' | 'path' | 'root' | 'signature' | 'key'
export type StepFault =
  | 'unreadable'
  | 'differs'
  | 'path'
  | 'root'
  | 'signature'
  | 'no-member'
  | 'no-key'
  | 'key-use'
  | 'key-time'
  | 'key-id'

/* `label` names a text; `formula` stands beside it as mathematics has it. */
export interface Shown {
  label: ShownLabel
  formula?: string
  value: string
}
export type ShownLabel =
  | 'line-hash'
  | 'leaf-told'
  | 'answer-told'
  | 'log'
  | 'kid'
  | 'public'
  | 'not-before'
  | 'not-after'
  | 'entry'
  | 'entry-hash'
  | 'index'
  | 'size'
  | 'path'
  | 'computed'
  | 'head-root'
  | 'signed'
  | 'sig'
  | 'by'
export interface Step {
  name: StepName
  ok: boolean
  fault?: StepFault
  shown: Shown[]
  climb?: Climb[]
}
export interface Verdict {
  ok: boolean
  steps: Step[]
  member: string
  suite: string
  index: number | null
}
export interface Known {
  message?: string | undefined
  answer?: string | undefined
}

interface Entry {
  index: number
  leaf: string
  answer: string
}

/* Hashes inside an entry are base64url or hexadecimal; both name the same 32 bytes. */
export function hashBytes(text: string): Bytes {
  return /^[0-9a-f]{64}$/i.test(text) ? fromHex(text) : fromBase64url(text)
}

const headTag = 'tonghui/v1/tree-head\n'

export function headBytes(head: Head): Bytes {
  const { at, log, root, size, suite } = head
  return utf8(headTag + canonical({ at, log, root, size, suite }))
}

/* Lines are hashed in the suite of the batch that carried them, which is the asker's; the entry in that of its journal. */
async function lineStep(suite: Suite, name: 'message' | 'answer', line: string, told: string): Promise<Step> {
  const shown = (by: Suite, made: Bytes): Shown[] => [
    { label: 'line-hash', formula: `${by.hashName}(0x00 ‖ …)`, value: hex(made) },
    { label: name === 'message' ? 'leaf-told' : 'answer-told', value: told },
  ]
  let wanted: Bytes | null = null
  try {
    wanted = hashBytes(told)
  } catch {
    // a malformed hash equals nothing
  }
  const bytes = utf8(line)
  for (const each of [suite, await suiteOf(suite.name === 'sm2-sm3' ? 'ed25519-sha256' : 'sm2-sm3')]) {
    const made = await leafHash(each, bytes)
    if (wanted && same(made, wanted)) return { name, ok: true, shown: shown(each, made) }
  }
  return { name, ok: false, fault: 'differs', shown: shown(suite, await leafHash(suite, bytes)) }
}

function useIncludes(use: TrustKey['use'], wanted: string): boolean {
  const uses = Array.isArray(use) ? use : use.split(/[|,\s]+/)
  return uses.includes(wanted)
}

/* Which key signed, whose is it, what may it sign and when. A suspension today does not undo what was signed before. */
async function keyStep(head: Head, trust: TrustDocument): Promise<{ step: Step; key: TrustKey | null; member: string }> {
  const code = head.log.split('.')[0] ?? ''
  const member = trust.signed.members.find((each) => each.code === code)
  const shown: Shown[] = [
    { label: 'log', value: head.log },
    { label: 'kid', value: head.kid },
  ]
  const fail = (fault: StepFault) => ({ step: { name: 'key' as const, ok: false, fault, shown }, key: null, member: code })
  if (!member) return fail('no-member')
  const key = member.keys.find((each) => each.kid === head.kid)
  if (!key) return fail('no-key')
  shown.push({ label: 'public', value: key.public }, { label: 'not-before', value: key.not_before })
  shown.push({ label: 'not-after', value: key.not_after })
  if (key.suite !== head.suite || !useIncludes(key.use, 'journal')) return fail('key-use')
  const at = Date.parse(head.at)
  if (!(at >= Date.parse(key.not_before) && at <= Date.parse(key.not_after))) return fail('key-time')
  const id = hex(await sha256(fromBase64url(key.public))).slice(0, 16)
  if (id !== key.kid) return fail('key-id')
  return { step: { name: 'key', ok: true, shown }, key, member: code }
}

export async function checkReceipt(receipt: Receipt, trust: TrustDocument, known: Known = {}): Promise<Verdict> {
  const steps: Step[] = []
  const { head } = receipt
  const member = String(head?.log ?? '').split('.')[0] ?? ''
  const verdict = (index: number | null): Verdict => ({
    ok: steps.length > 0 && steps.every((step) => step.ok),
    steps,
    member,
    suite: head?.suite ?? '',
    index,
  })

  let suite: Suite
  let entry: Entry
  try {
    suite = await suiteOf(head.suite)
    entry = JSON.parse(receipt.entry) as Entry
    if (!Number.isSafeInteger(entry.index)) throw new Error('no index')
  } catch {
    steps.push({ name: 'entry', ok: false, fault: 'unreadable', shown: [{ label: 'entry', value: String(receipt.entry) }] })
    return verdict(null)
  }

  if (known.message !== undefined) steps.push(await lineStep(suite, 'message', known.message, entry.leaf))
  if (known.answer !== undefined) steps.push(await lineStep(suite, 'answer', known.answer, entry.answer))

  const leaf = await leafHash(suite, utf8(receipt.entry))
  steps.push({
    name: 'entry',
    ok: true,
    shown: [
      { label: 'entry', value: receipt.entry },
      { label: 'entry-hash', formula: `${suite.hashName}(0x00 ‖ …)`, value: hex(leaf) },
    ],
  })

  let root: Bytes
  try {
    const path = receipt.path.map(fromBase64url)
    const climbed = await climb(suite, leaf, entry.index, head.size, path)
    root = climbed.root
    steps.push({
      name: 'path',
      ok: true,
      climb: climbed.steps,
      shown: [
        { label: 'index', value: String(entry.index) },
        { label: 'size', value: String(head.size) },
      ],
    })
  } catch (cause) {
    steps.push({
      name: 'path',
      ok: false,
      fault: 'path',
      shown: [{ label: 'path', value: cause instanceof Error ? cause.message : String(cause) }],
    })
    return verdict(entry.index)
  }

  let rootsAgree = false
  try {
    rootsAgree = same(root, fromBase64url(head.root))
  } catch {
    // a malformed root equals nothing
  }
  steps.push({
    name: 'root',
    ok: rootsAgree,
    ...(rootsAgree ? {} : { fault: 'root' as const }),
    shown: [
      { label: 'computed', value: hex(root) },
      { label: 'head-root', value: rootsAgree ? hex(root) : head.root },
    ],
  })

  const { step, key } = await keyStep(head, trust)
  let signed = { ok: false, by: '' }
  if (key) {
    try {
      signed = await suite.verify(fromBase64url(key.public), headBytes(head), fromBase64url(head.sig))
    } catch {
      // malformed base64: not a signature
    }
  }
  steps.push({
    name: 'signature',
    ok: signed.ok,
    ...(signed.ok ? {} : { fault: 'signature' as const }),
    shown: [
      { label: 'signed', value: new TextDecoder().decode(headBytes(head)) },
      { label: 'sig', value: head.sig },
      ...(signed.by ? [{ label: 'by' as const, value: signed.by }] : []),
    ],
  })
  steps.push(step)
  return verdict(entry.index)
}

export interface GovernorCheck {
  kid: string
  holder: string
  suite: string
  state: 'holds' | 'broken' | 'absent'
}

/* The trust document against its own governors: which signatures hold, and are they enough? */
export async function checkTrust(document: TrustDocument): Promise<{ ok: boolean; digest: string; governors: GovernorCheck[] }> {
  const bytes = utf8(canonical(document.signed))
  const governors: GovernorCheck[] = []
  for (const key of document.signed.governors.keys) {
    const signature = document.signatures.find((each) => each.kid === key.kid)
    let state: GovernorCheck['state'] = 'absent'
    if (signature) {
      try {
        const suite = await suiteOf(key.suite)
        const publicKey = fromBase64url(key.public)
        const sig = fromBase64url(signature.sig)
        const signedBytes = join(utf8('tonghui/v1/trust\n'), bytes)
        state = (await suite.verify(publicKey, signedBytes, sig)).ok ? 'holds' : 'broken'
      } catch {
        state = 'broken'
      }
    }
    governors.push({ kid: key.kid, holder: key.holder, suite: key.suite, state })
  }
  const good = governors.filter((each) => each.state === 'holds').length
  return { ok: good >= document.signed.governors.threshold, digest: hex(await sha256(bytes)), governors }
}
