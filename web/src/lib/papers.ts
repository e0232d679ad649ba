// papers.ts: handing a paper in: its name, size and hash are said first, then its bytes go in pieces from where they stopped.
import { call, post } from './api'

export const paperLimit = 50 * 1024 * 1024
const types: Record<string, string> = { pdf: 'application/pdf', jpg: 'image/jpeg', jpeg: 'image/jpeg', png: 'image/png', ofd: 'application/ofd' }
export const paperType = (name: string): string | null => types[name.split('.').pop()?.toLowerCase() ?? ''] ?? null
export const paperKinds = Object.keys(types).map((each) => `.${each}`).join(',')

interface Received {
  received: number
  size: number
  piece: number
  whole: boolean
}
const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')

export async function sendPaper(caseId: string, code: string, file: File, tell: (part: number) => void): Promise<void> {
  const place = `/cases/v1/cases/${encodeURIComponent(caseId)}/materials`
  const { sha256 } = await import('@/proof/suite')
  const hash = await sha256(new Uint8Array(await file.arrayBuffer()))
  let now = await post<Received>(place, { code, name: file.name, mime: paperType(file.name) ?? file.type, size: file.size, sha256: hex(hash) })
  while (!now.whole) {
    tell(now.received / now.size)
    const raw = file.slice(now.received, now.received + 64 * now.piece)
    now = await call<Received>('PUT', `${place}/${encodeURIComponent(code)}?offset=${now.received}`, undefined, { raw })
  }
  tell(1)
}
export const deferPaper = (caseId: string, code: string): Promise<unknown> =>
  post(`/cases/v1/cases/${encodeURIComponent(caseId)}/materials`, { code, defer: true })
