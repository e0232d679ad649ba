// case.ts: one case, kept fresh by its stream of events.
import { onScopeDispose, ref, shallowRef, type Ref } from 'vue'
import { asProblem, get, type Problem } from './api'
import { useStream, type StreamState } from './stream'
import type { Case, CaseState } from './types'

const ends: CaseState[] = ['delivered', 'withdrawn', 'refused', 'out_of_scope', 'lapsed', 'terminated', 'annulled', 'cancelled']
/* Is there nothing more to wait for? */
export const isClosed = (state: CaseState): boolean => ends.includes(state)

/* What the deadline of a case in this state is for. Before the office that decides has it, the day of the decision is expected only. */
export type Due = 'expected' | 'accept' | 'supply' | 'decide' | 'deliver'
export function dueOf(state: CaseState): Due {
  if (state === 'evidence' || state === 'handed_over') return 'expected'
  if (state === 'received') return 'accept'
  if (state === 'correction') return 'supply'
  return state === 'decided' || state === 'refused' ? 'deliver' : 'decide'
}
/* How the law counts it: an item may count its decision in calendar days; telling, accepting and delivering are working days. */
export function unitOf(due: Due, dayUnit: string | null): 'working' | 'natural' {
  return due === 'supply' || ((due === 'decide' || due === 'expected') && dayUnit === 'natural') ? 'natural' : 'working'
}

/* A reason to look twice before deciding: not everything that was verified matches. */
export const isDoubtful = (one: Case): boolean =>
  one.evidence.some((each) => each.state !== 'answered' || Object.values(each.results ?? {}).some((result) => result !== 'match'))

export interface LiveCase {
  data: Ref<Case | null>
  problem: Ref<Problem | null>
  loading: Ref<boolean>
  live: Ref<StreamState>
  fresh: Ref<ReadonlySet<number>>
  open: (id: string | null) => void
  take: (next: Case) => void
  ask: () => Promise<void>
}

/* An event says only that the case moved; the case itself is asked again, once for a burst. What is new in it is marked for a while. */
export function useCase(): LiveCase {
  const data = shallowRef<Case | null>(null)
  const problem = shallowRef<Problem | null>(null)
  const loading = ref(false)
  const fresh = shallowRef<ReadonlySet<number>>(new Set())
  let id: string | null = null
  let later: ReturnType<typeof setTimeout> | null = null
  let again = false

  function show(next: Case): void {
    const known = new Set(data.value?.events.map((event) => event.seq) ?? next.events.map((event) => event.seq))
    fresh.value = new Set(next.events.filter((event) => !known.has(event.seq)).map((event) => event.seq))
    data.value = next
    problem.value = null
  }
  async function ask(): Promise<void> {
    const wanted = id
    if (!wanted) return
    if (loading.value) {
      again = true
      return
    }
    loading.value = true
    try {
      const answer = await get<Case>(`/cases/v1/cases/${encodeURIComponent(wanted)}`)
      if (wanted === id) show(answer)
    } catch (cause) {
      if (wanted === id) problem.value = asProblem(cause)
    }
    loading.value = false
    if (again || wanted !== id) {
      again = false
      void ask()
    }
  }
  const stream = useStream({
    case: () => {
      if (later) clearTimeout(later)
      later = setTimeout(() => void ask(), 120)
    },
  })
  onScopeDispose(() => {
    if (later) clearTimeout(later)
    id = null
  })
  function open(next: string | null): void {
    id = next
    data.value = null
    problem.value = null
    fresh.value = new Set()
    stream.close()
    if (!next) return
    void ask()
    stream.open(`/cases/v1/cases/${encodeURIComponent(next)}/events`)
  }
  function take(next: Case): void {
    if (next.id === id) show(next)
  }
  return { data, problem, loading, live: stream.state, fresh, open, take, ask }
}
