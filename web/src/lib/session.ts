// session.ts: who is signed in, which node this is, and what each may open.
import { computed, ref, shallowRef } from 'vue'
import { asProblem, call, get, post, Problem, setCsrf, whenSignedOut } from './api'
import type { Account, NodeInfo, Role, Session } from './types'

export const account = shallowRef<Account | null>(null)
export const node = shallowRef<NodeInfo | null>(null)
export const nodeProblem = shallowRef<Problem | null>(null)
const known = ref(false)

export const roles = computed<Role[]>(() => account.value?.roles ?? [])
export const isStaff = computed(() => roles.value.some((role) => role !== 'citizen'))
export function has(...wanted: Role[]): boolean {
  return wanted.some((role) => roles.value.includes(role))
}

export function homeOf(list: Role[]): string {
  if (list.includes('clerk') || list.includes('head')) return '/desk'
  if (list.includes('operator') || list.includes('auditor')) return '/operator'
  if (list.includes('duty')) return '/wall'
  if (list.includes('accountant')) return '/operator/requests'
  return '/'
}

function take(session: Session | null): void {
  account.value = session?.account ?? null
  setCsrf(session?.csrf ?? null)
  known.value = true
}

let asking: Promise<void> | null = null

/* Ask once who is here; later calls wait for the same answer. */
export function knowSession(): Promise<void> {
  if (known.value) return Promise.resolve()
  asking ??= get<Session>('/people/v1/session')
    .then(take)
    .catch((cause: unknown) => {
      const problem = asProblem(cause)
      if (problem.status === 401) take(null)
      // Otherwise it stays unknown and the next page asks again.
    })
    .finally(() => {
      asking = null
    })
  return asking
}

/* What the node knows of this account changed: ask it again. */
export async function againSession(): Promise<void> {
  known.value = false
  await knowSession()
}

export async function signIn(login: string, password: string, totp?: string): Promise<Account> {
  const session = await post<Session & { account: Account }>('/people/v1/session', { login, password, ...(totp ? { totp } : {}) })
  take(session)
  return session.account
}

export async function signOut(): Promise<void> {
  try {
    await call('DELETE', '/people/v1/session')
  } finally {
    take(null)
  }
}

whenSignedOut(() => take(null))

let askingNode: Promise<void> | null = null
export function knowNode(): Promise<void> {
  if (node.value) return Promise.resolve()
  askingNode ??= get<NodeInfo>('/operations/v1/node')
    .then((info) => {
      node.value = info
      nodeProblem.value = null
    })
    .catch((cause: unknown) => {
      nodeProblem.value = asProblem(cause)
    })
    .finally(() => {
      askingNode = null
    })
  return askingNode
}
