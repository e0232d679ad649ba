// ids.ts: the check character of a resident identity number (GB 11643-1999, MOD 11-2), so that a slip is seen before sending.
const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]

export function idNumberHolds(text: string): boolean {
  if (!/^\d{17}[\dX]$/.test(text)) return false
  const sum = weights.reduce((n, weight, i) => n + weight * Number(text[i]), 0)
  if ('10X98765432'[sum % 11] !== text[17]) return false
  const date = new Date(`${text.slice(6, 10)}-${text.slice(10, 12)}-${text.slice(12, 14)}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().slice(0, 10).replace(/-/g, '') === text.slice(6, 14)
}
