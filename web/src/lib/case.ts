// case.ts: one case, kept fresh by its stream of events.
import { onScopeDispose, ref, shallowRef, type Ref } from 'vue'
import { asProblem, get, type Problem } from './api'
import { useStream, type StreamState } from './stream'
import type { Case, CaseEvent } from './types'

export interface LiveCase {
  data: Ref<Case | null>
  problem: Ref<Problem | null>
  loading: Ref<boolean>
  live: Ref<StreamState>
  fresh: Ref<number | undefined>
  open: (id: string | null) => void
  take: (next: Case) => void
}

/* An event says that something changed and what; the case itself is asked again, once for a burst. */
export function useCase(): LiveCase {
  const data = shallowRef<Case | null>(null)
  const problem = shallowRef<Problem | null>(null)
  const loading = ref(false)
  const fresh = ref<number | undefined>()
  let id: string | null = null
  let later: ReturnType<typeof setTimeout> | null = null

  async function ask(): Promise<void> {
    const wanted = id
    if (!wanted) return
    loading.value = true
    try {
      const answer = await get<Case>(`/cases/v1/cases/${encodeURIComponent(wanted)}`)
      if (wanted !== id) return
      data.value = answer
      problem.value = null
    } catch (cause) {
      if (wanted === id) problem.value = asProblem(cause)
    }
    if (wanted === id) loading.value = false
  }
  const stream = useStream({
    case: (told) => {
      const event = told as CaseEvent
      if (data.value?.events.some((each) => each.seq === event.seq && each.node?.code === event.node?.code)) return
      if (later) clearTimeout(later)
      later = setTimeout(() => {
        fresh.value = event.seq
        void ask()
      }, 120)
    },
  })
  onScopeDispose(() => {
    if (later) clearTimeout(later)
  })
  function open(next: string | null): void {
    id = next
    data.value = null
    problem.value = null
    fresh.value = undefined
    stream.close()
    if (!next) return
    void ask()
    stream.open(`/cases/v1/cases/${encodeURIComponent(next)}/events`)
  }
  function take(next: Case): void {
    if (next.id === id) data.value = next
  }
  return { data, problem, loading, live: stream.state, fresh, open, take }
}
