// time.ts: instants come as RFC 3339 UTC and are shown on the region's clock, Asia/Shanghai.
import { htmlLang, lang } from './texts'

const zone = 'Asia/Shanghai'
const made = new Map<string, Intl.DateTimeFormat>()

function format(kind: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${lang.value}/${kind}`
  let found = made.get(key)
  if (!found) {
    found = new Intl.DateTimeFormat(lang.value === 'zh' ? 'zh-CN' : 'en-GB', { timeZone: zone, ...options })
    made.set(key, found)
  }
  return found
}

type Instant = string | number | Date | null | undefined

function instant(at: Instant): Date | null {
  if (at === null || at === undefined || at === '') return null
  const date = at instanceof Date ? at : new Date(at)
  return Number.isNaN(date.getTime()) ? null : date
}

/* 11月23日 23:04, with the year when it is not this one. */
export function moment(at: Instant): string {
  const date = instant(at)
  if (!date) return '—'
  const sameYear = format('y', { year: 'numeric' }).format(date) === format('y', { year: 'numeric' }).format(new Date())
  return format(sameYear ? 'md-hm' : 'ymd-hm', {
    ...(sameYear ? {} : { year: 'numeric' }),
    month: lang.value === 'zh' ? 'long' : 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).format(date)
}

export function day(at: Instant): string {
  const date = instant(at)
  if (!date) return '—'
  return format('ymd', { year: 'numeric', month: lang.value === 'zh' ? 'long' : 'short', day: 'numeric' }).format(date)
}

export function shortDay(at: Instant): string {
  const date = instant(at)
  if (!date) return '—'
  return format('md', { month: lang.value === 'zh' ? 'long' : 'short', day: 'numeric' }).format(date)
}

export function clock(at: Instant): string {
  const date = instant(at)
  return date ? format('hms', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(date) : '—'
}

export function hourMinute(at: Instant): string {
  const date = instant(at)
  return date ? format('hm', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(date) : '—'
}

/* Full, for tooltips and proofs: 2026-11-23 23:04:05.123 (UTC+8). */
export function exact(at: Instant): string {
  const date = instant(at)
  if (!date) return '—'
  const shifted = new Date(date.getTime() + 8 * 3600_000).toISOString()
  return `${shifted.slice(0, 10)} ${shifted.slice(11, 23)} (UTC+8)`
}

/* 3 分钟前 / in 2 days */
export function ago(at: Instant, now = Date.now()): string {
  const date = instant(at)
  if (!date) return '—'
  const seconds = Math.round((date.getTime() - now) / 1000)
  const relative = new Intl.RelativeTimeFormat(htmlLang(), { numeric: 'auto' })
  const size = Math.abs(seconds)
  if (size < 60) return relative.format(seconds, 'second')
  if (size < 3600) return relative.format(Math.round(seconds / 60), 'minute')
  if (size < 86400) return relative.format(Math.round(seconds / 3600), 'hour')
  return relative.format(Math.round(seconds / 86400), 'day')
}

/* Whole days from today to the day of `at`, on Shanghai's calendar: 0 today, -1 yesterday. */
export function daysUntil(at: Instant, now = Date.now()): number | null {
  const date = instant(at)
  if (!date) return null
  const number = (d: number) => Math.floor((d + 8 * 3600_000) / 86400_000)
  return number(date.getTime()) - number(now)
}
