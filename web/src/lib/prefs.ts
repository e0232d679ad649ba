// prefs.ts: 关怀模式, kept in this browser: larger type and more room.
import { ref } from 'vue'

const name = 'tonghui-care'

function remembered(): boolean {
  try {
    return localStorage.getItem(name) === '1'
  } catch {
    return false
  }
}

export const care = ref(remembered())

export function setCare(on: boolean): void {
  care.value = on
  document.documentElement.classList.toggle('care', on)
  try {
    localStorage.setItem(name, on ? '1' : '0')
  } catch {
    // private windows: the choice lasts for this page only
  }
}

export const stillness = (): boolean => matchMedia('(prefers-reduced-motion: reduce)').matches
