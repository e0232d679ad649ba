// load.ts: data of a page with its three other states: loading, failed, empty.
import { onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import { asProblem, type Problem } from './api'

export interface Load<T> {
  data: ShallowRef<T | null>
  problem: ShallowRef<Problem | null>
  loading: Ref<boolean>
  reload: () => Promise<void>
}

/* Runs at once and again at every reload; a slower earlier answer never overwrites a later one. What was there stays while reloading. */
export function useLoad<T>(ask: (signal: AbortSignal) => Promise<T>, now = true): Load<T> {
  const data = shallowRef<T | null>(null)
  const problem = shallowRef<Problem | null>(null)
  const loading = ref(now)
  let turn = 0
  let running: AbortController | null = null
  async function reload(): Promise<void> {
    const mine = ++turn
    running?.abort()
    running = new AbortController()
    loading.value = true
    try {
      const answer = await ask(running.signal)
      if (mine !== turn) return
      data.value = answer
      problem.value = null
    } catch (cause) {
      if (mine !== turn) return
      problem.value = asProblem(cause)
    }
    loading.value = false
  }
  onScopeDispose(() => {
    turn++
    running?.abort()
  })
  if (now) void reload()
  return { data, problem, loading, reload }
}

/* A button that does something once at a time and keeps what went wrong. */
export function useDoing(): {
  busy: Ref<boolean>
  problem: ShallowRef<Problem | null>
  run: <T>(work: () => Promise<T>) => Promise<T | null>
} {
  const busy = ref(false)
  const problem = shallowRef<Problem | null>(null)
  async function run<T>(work: () => Promise<T>): Promise<T | null> {
    if (busy.value) return null
    busy.value = true
    problem.value = null
    try {
      return await work()
    } catch (cause) {
      problem.value = asProblem(cause)
      return null
    } finally {
      busy.value = false
    }
  }
  return { busy, problem, run }
}
