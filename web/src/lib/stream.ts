// stream.ts: Server-Sent Events with an honest state: connecting, live, or broken and trying again.
import { onScopeDispose, ref, type Ref } from 'vue'

export type StreamState = 'connecting' | 'live' | 'broken' | 'ended'

export interface Stream {
  state: Ref<StreamState>
  open: (url: string) => void
  close: () => void
}

export function useStream(handlers: Record<string, (data: unknown) => void>): Stream {
  const state = ref<StreamState>('connecting')
  let source: EventSource | null = null
  let again: ReturnType<typeof setTimeout> | null = null
  let wait = 1000

  function close(): void {
    source?.close()
    source = null
    if (again) clearTimeout(again)
    again = null
    state.value = 'ended'
  }

  function open(url: string): void {
    close()
    state.value = 'connecting'
    const here = new EventSource(url)
    source = here
    here.onopen = () => {
      state.value = 'live'
      wait = 1000
    }
    here.onerror = () => {
      if (source !== here) return
      state.value = 'broken'
      // The browser retries by itself unless the node refused; then we do, more slowly each time.
      if (here.readyState === EventSource.CLOSED) {
        again = setTimeout(() => open(url), wait)
        wait = Math.min(wait * 2, 30_000)
      }
    }
    for (const [name, handle] of Object.entries(handlers))
      here.addEventListener(name, (event) => {
        state.value = 'live'
        try {
          handle(JSON.parse((event as MessageEvent<string>).data))
        } catch (cause) {
          console.error('stream', name, cause)
        }
      })
  }

  onScopeDispose(close)
  return { state, open, close }
}
