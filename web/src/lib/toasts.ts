// toasts.ts: short confirmations. Nothing that must be read is said only here: they leave after a while.
import { ref } from 'vue'

export interface Toast {
  id: number
  kind: 'good' | 'wrong' | 'plain'
  text: string
}
export const toasts = ref<Toast[]>([])
let next = 1

export function toast(text: string, kind: Toast['kind'] = 'good'): void {
  const id = next++
  toasts.value = [...toasts.value.slice(-2), { id, kind, text }]
  setTimeout(() => dismiss(id), 6000)
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((each) => each.id !== id)
}
