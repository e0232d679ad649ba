// format.ts: figures with their units, and personal numbers with their middle hidden.
import { lang } from './texts'

const made = new Map<string, Intl.NumberFormat>()

export function figure(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '—'
  const key = `${lang.value}/${digits}`
  let found = made.get(key)
  if (!found) {
    found = new Intl.NumberFormat(lang.value === 'zh' ? 'zh-CN' : 'en-GB', {
      maximumFractionDigits: digits,
      minimumFractionDigits: 0,
    })
    made.set(key, found)
  }
  return found.format(value)
}

/* Microseconds as people read them: 840 µs, 3.2 ms, 1.4 s. */
export function span(us: number | null | undefined): string {
  if (us === null || us === undefined || !Number.isFinite(us)) return '—'
  const size = Math.abs(us)
  if (size < 1000) return `${figure(us)} µs`
  if (size < 1_000_000) return `${figure(us / 1000, size < 10_000 ? 1 : 0)} ms`
  return `${figure(us / 1_000_000, 1)} s`
}

export function bytes(n: number | null | undefined): string {
  if (n === null || n === undefined) return '—'
  if (n < 1024) return `${figure(n)} B`
  if (n < 1024 * 1024) return `${figure(n / 1024, 1)} KB`
  return `${figure(n / 1024 / 1024, 1)} MB`
}

export function yuan(fen: number | null | undefined): string {
  if (fen === null || fen === undefined) return '—'
  return lang.value === 'zh' ? `${figure(fen / 100, 2)} 元` : `CNY ${figure(fen / 100, 2)}`
}

/* 110101199003078515 → 1101**********8515. What is already masked stays as it is. */
export function maskId(id: string | null | undefined): string {
  if (!id) return ''
  if (id.includes('*') || id.length < 9) return id
  return id.slice(0, 4) + '*'.repeat(id.length - 8) + id.slice(-4)
}

/* The two suites by the names that people know them by. */
export function suiteName(suite: string): string {
  if (suite === 'sm2-sm3') return lang.value === 'zh' ? '国密 SM2/SM3' : 'SM2 with SM3'
  if (suite === 'ed25519-sha256') return 'Ed25519/SHA-256'
  if (suite === 'p256-sha256') return 'P-256/SHA-256'
  return suite
}

/* Long hashes keep both ends: enough to compare by eye. */
export function shortHash(text: string | null | undefined, keep = 8): string {
  if (!text) return '—'
  return text.length <= keep * 2 + 1 ? text : `${text.slice(0, keep)}…${text.slice(-keep)}`
}
