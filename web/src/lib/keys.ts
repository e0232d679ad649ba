// keys.ts: single-letter shortcuts of a page. Silent while somebody types, holds a modifier, or has a dialog open.
import { onBeforeUnmount, onMounted } from 'vue'

export function useKeys(keys: Record<string, () => void>): void {
  function onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return
    const target = event.target as HTMLElement | null
    if (target?.closest('input, textarea, select, [contenteditable=true]')) return
    if (document.querySelector('dialog[open]')) return
    if ((event.key === 'Enter' || event.key === ' ') && target?.closest('a, button, summary, [role=tab]')) return
    const handle = keys[event.key]
    if (!handle) return
    event.preventDefault()
    handle()
  }
  onMounted(() => document.addEventListener('keydown', onKey))
  onBeforeUnmount(() => document.removeEventListener('keydown', onKey))
}
