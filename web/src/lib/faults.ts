// faults.ts: what the node says is wrong, put at the field it points to.
import { computed, nextTick, type ComputedRef, type Ref } from 'vue'
import type { Problem } from './api'
import { lang } from './texts'

/* `places` maps a JSON Pointer, or its beginning, to the id of a field. A fault of the page itself comes before the node's. */
export function useFaults(problem: Ref<Problem | null>, places: Record<string, string>): ComputedRef<Record<string, string>> {
  return computed(() => {
    const out: Record<string, string> = {}
    for (const fault of problem.value?.errors ?? []) {
      const place = placeOf(fault.pointer, places)
      if (place && !out[place]) out[place] = (lang.value === 'zh' ? fault.message_zh : fault.message_en) ?? fault.message ?? ''
    }
    return out
  })
}

export function placeOf(pointer: string, places: Record<string, string>): string | undefined {
  const key = Object.keys(places).find((each) => pointer === each || pointer.startsWith(`${each}/`))
  return key === undefined ? undefined : places[key]
}

/* To the first field that has a fault, in the order of the page. */
export async function focusFault(faults: Record<string, string>): Promise<void> {
  await nextTick()
  const found = Object.keys(faults)
    .map((id) => document.getElementById(id))
    .filter((each): each is HTMLElement => each !== null)
    .sort((a, b) => (a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1))
  found[0]?.focus()
}
