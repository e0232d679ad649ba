// texts.ts: every word a person reads stands in a table of pairs [Chinese, English]. A pair cannot lack a language: the type says so.
// The choice is kept in the cookie `tonghui-lang`, which the server reads for its own messages.
import { ref } from 'vue'

export type Lang = 'zh' | 'en'
export type Pair = readonly [zh: string, en: string]
export interface Named {
  zh: string
  en: string
}

function remembered(): Lang {
  const match = /(?:^|;\s*)tonghui-lang=(zh|en)/.exec(document.cookie)
  if (match) return match[1] as Lang
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}

export const lang = ref<Lang>(remembered())

export function htmlLang(which: Lang = lang.value): string {
  return which === 'zh' ? 'zh-CN' : 'en'
}

export function setLang(next: Lang): void {
  lang.value = next
  document.documentElement.lang = htmlLang(next)
  document.cookie = `tonghui-lang=${next}; path=/; max-age=31536000; samesite=lax`
}

export type Values = Record<string, string | number>

/* {n} is the value; {n|day|days} chooses the first word when the value is one. */
export function fill(text: string, values?: Values): string {
  if (!values) return text
  return text.replace(/\{([\w]+)(?:\|([^|}]*)\|([^|}]*))?\}/g, (whole, name: string, one?: string, many?: string) => {
    if (!(name in values)) return whole
    if (one === undefined) return String(values[name])
    return (String(values[name]) === '1' ? one : many) ?? ''
  })
}

/* A table's words in the language of the moment. Called while rendering, it follows the switch. */
export function words<T extends Record<string, Pair>>(table: T): (key: keyof T & string, values?: Values) => string {
  return (key, values) => {
    const pair = table[key]
    if (!pair) {
      console.error(`no words for ${key}`)
      return key
    }
    return fill(lang.value === 'zh' ? pair[0] : pair[1], values)
  }
}

/* Names that come from the server. Falls back to the other language rather than to nothing. */
export function say(name: Partial<Named> | string | null | undefined): string {
  if (!name) return ''
  if (typeof name === 'string') return name
  return (lang.value === 'zh' ? name.zh || name.en : name.en || name.zh) ?? ''
}
