// api.ts: one way to call the node. Answers come as JSON; everything that goes wrong becomes a Problem (RFC 9457), with words in both
// languages, so that every page can say what happened and what to do.
import { lang, type Named } from './texts'

export interface FieldProblem {
  pointer: string
  code?: string
  message?: string
  message_zh?: string
  message_en?: string
}

interface ProblemBody {
  type?: string
  title?: string
  title_zh?: string
  title_en?: string
  detail?: string
  errors?: FieldProblem[]
  retry_after?: number
}

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    readonly title: Named,
    readonly detail: string,
    readonly errors: FieldProblem[] = [],
    readonly retryAfter: number | null = null,
    readonly requestId: string | null = null,
  ) {
    super(`${status} ${type}`)
  }
}

let csrf: string | null = null
export function setCsrf(token: string | null): void {
  csrf = token
}

/* Told when the node says that nobody is signed in any more. */
let onSignedOut: (() => void) | null = null
export function whenSignedOut(tell: () => void): void {
  onSignedOut = tell
}

export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')
}

function problemOf(response: Response, body: ProblemBody | null): Problem {
  const type = (body?.type ?? `http-${response.status}`).replace(/^urn:tonghui:problem:/, '').replace(/^.*\//, '')
  const title = {
    zh: body?.title_zh ?? body?.title ?? `节点回应 ${response.status}`,
    en: body?.title_en ?? body?.title ?? `The node answered ${response.status}`,
  }
  const wait = body?.retry_after ?? Number(response.headers.get('retry-after') ?? 0)
  return new Problem(
    response.status,
    type,
    title,
    body?.detail ?? '',
    body?.errors ?? [],
    wait || null,
    response.headers.get('x-request-id'),
  )
}

export interface CallOptions {
  key?: string
  signal?: AbortSignal
  raw?: BodyInit
  contentType?: string
}

export async function call<T>(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json', 'Accept-Language': lang.value }
  const init: RequestInit = { method, headers, credentials: 'same-origin' }
  if (options.raw !== undefined) {
    init.body = options.raw
    headers['Content-Type'] = options.contentType ?? 'application/octet-stream'
  } else if (body !== undefined) {
    init.body = JSON.stringify(body)
    headers['Content-Type'] = 'application/json'
  }
  if (method !== 'GET') {
    if (csrf) headers['X-CSRF-Token'] = csrf
    headers['Idempotency-Key'] = options.key ?? newKey()
  }
  if (options.signal) init.signal = options.signal
  let response: Response
  try {
    response = await fetch(path, init)
  } catch (cause) {
    if (options.signal?.aborted) throw cause
    throw new Problem(
      0,
      'unreachable',
      { zh: '连不上本节点', en: 'This node cannot be reached' },
      lang.value === 'zh' ? '请检查网络后重试；已填写的内容仍在本页。' : 'Check the network and try again; what you filled in is still here.',
    )
  }
  const text = await response.text()
  let parsed: unknown = null
  if (text) {
    try {
      parsed = JSON.parse(text)
    } catch {
      if (response.ok) {
        throw new Problem(
          response.status,
          'unreadable',
          { zh: '节点的回应无法读取', en: 'The answer of the node cannot be read' },
          lang.value === 'zh' ? '请稍后重试；若再次出现，请告知系统运维人员。' : 'Try again shortly; if it happens again, tell the operator.',
        )
      }
    }
  }
  if (!response.ok) {
    const problem = problemOf(response, parsed as ProblemBody | null)
    if (response.status === 401 && !path.startsWith('/people/v1/session')) onSignedOut?.()
    throw problem
  }
  return parsed as T
}

export const get = <T>(path: string, options?: CallOptions): Promise<T> => call<T>('GET', path, undefined, options)
export const post = <T>(path: string, body: unknown = {}, options?: CallOptions): Promise<T> =>
  call<T>('POST', path, body, options)

/* Something that must happen once, however often it is sent: the key stays while nobody knows whether it happened (no answer, or the
 * node's own trouble), and is new after any answer, so that a corrected form is not taken for the same again. */
export interface Once {
  key: string
}
export const newOnce = (): Once => ({ key: newKey() })
export async function postOnce<T>(once: Once, path: string, body: unknown): Promise<T> {
  try {
    const answer = await post<T>(path, body, { key: once.key })
    once.key = newKey()
    return answer
  } catch (cause) {
    if (cause instanceof Problem && cause.status >= 400 && cause.status < 500) once.key = newKey()
    throw cause
  }
}

export function asProblem(cause: unknown): Problem {
  if (cause instanceof Problem) return cause
  console.error(cause)
  return new Problem(
    0,
    'page',
    { zh: '本页出了差错', en: 'This page went wrong' },
    cause instanceof Error ? cause.message : String(cause),
  )
}

export function query(values: Record<string, string | number | null | undefined>): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(values))
    if (value !== null && value !== undefined && value !== '') params.set(name, String(value))
  const text = params.toString()
  return text ? `?${text}` : ''
}
