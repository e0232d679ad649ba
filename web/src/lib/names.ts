// names.ts: no page shows a code without its name. Registers, their fields, items, purposes and offices are looked up once and kept.
import { shallowReactive } from 'vue'
import { get } from './api'
import { knowNode, node } from './session'
import { say, type Named } from './texts'
import type { Account, Coded, Dataset, ItemBrief } from './types'

interface Found {
  title: Named
  fields: Record<string, Named>
}
const registers = shallowReactive<Record<string, Found | null>>({})
const items = shallowReactive<Record<string, Named>>({})
let askedItems = false

const plain = (code: string): Named => ({ zh: code, en: code })

async function learnRegister(name: string): Promise<void> {
  registers[name] = null
  try {
    const dataset = await get<Dataset>(`/records/v1/catalogue/register-${encodeURIComponent(name)}`)
    registers[name] = { title: dataset.title, fields: Object.fromEntries([...dataset.fields, ...dataset.conditions].map((each) => [each.name, each.title])) }
  } catch {
    // the code itself is shown
  }
}
function register(name: string): Found | null {
  if (!(name in registers) && /^[a-z][a-z0-9-]*$/.test(name)) void learnRegister(name)
  return registers[name] ?? null
}

/* Registers that are no entries of the catalogue but stand in access logs. */
const inner: Record<string, Named> = {
  case: { zh: '办件材料', en: 'Case file' },
  'access-log': { zh: '查看记录', en: 'Record of looks' },
}
const innerFields: Record<string, Named> = {
  submission: { zh: '申请及核验结果', en: 'Application and what was verified' },
  looks: { zh: '谁看过', en: 'Who looked' },
}

export const isRegister = (name: string): boolean => !(name in inner)
export const registerName = (name: string): Named => inner[name] ?? register(name)?.title ?? plain(name)
export function fieldName(of: string, field: string): Named {
  if (of in inner) return innerFields[field] ?? plain(field)
  if (!field.endsWith('*')) return register(of)?.fields[field] ?? plain(field)
  const bare = fieldName(of, field.slice(0, -1))
  return { zh: `${bare.zh}（部分遮盖）`, en: `${bare.en} (partly masked)` }
}

async function learnItems(): Promise<void> {
  askedItems = true
  await knowNode()
  try {
    const answer = await get<{ items: ItemBrief[] }>('/government/v1/items')
    for (const each of answer.items) items[each.code] = each.title
  } catch {
    askedItems = false
  }
}
/* What a question is asked for: a service, or one of the region's other purposes. */
export function purposeName(code: string): Named {
  if (!askedItems) void learnItems()
  return items[code] ?? node.value?.purposes.find((each) => each.code === code) ?? plain(code)
}
export function purposes(): Coded[] {
  if (!askedItems) void learnItems()
  return [...Object.entries(items).map(([code, title]) => ({ code, ...title })), ...(node.value?.purposes ?? [])]
}
/* An account has one name, as it was entered; those of the demonstration have it in both languages. */
export function accountName(account: Pick<Account, 'login' | 'name'>): string {
  const demo = node.value?.logins?.find((each) => each.login === account.login)
  return demo && demo.name.zh === account.name ? say(demo.name) : account.name
}
export const officeName = (code: string): Named => node.value?.offices.find((each) => each.code === code) ?? plain(code)
