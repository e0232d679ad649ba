// schema.ts: a form is a JSON Schema of the region's data. Here it becomes fields, pages of fields, and faults in words.
import { idNumberHolds } from './ids'
import { nodeName } from './nodes'
import { fill, lang, type Pair } from './texts'
import { exact } from './time'
import type { Schema } from './types'
import { common } from '@/texts/common'

export type Kind = 'text' | 'long' | 'number' | 'whole' | 'date' | 'choice' | 'yes' | 'many' | 'group'
export interface Choice {
  value: string | number
  text: string
}
export interface Field {
  name: string
  pointer: string
  schema: Schema
  kind: Kind
  required: boolean
}
export type Values = Record<string, unknown>
export type Faults = Record<string, string>

const pick = (pair: Pair): string => (lang.value === 'zh' ? pair[0] : pair[1])

export function labelOf(schema: Schema, name: string): string {
  return (lang.value === 'zh' ? schema.title : (schema['x-en'] ?? schema.title)) ?? name
}

export function hintOf(schema: Schema): string {
  return (lang.value === 'zh' ? schema.description : (schema['x-en-description'] ?? schema.description)) ?? ''
}

export function kindOf(schema: Schema): Kind {
  const type = Array.isArray(schema.type) ? schema.type.find((each) => each !== 'null') : schema.type
  if (schema.enum || schema.oneOf) return 'choice'
  if (type === 'object' || schema.properties) return 'group'
  if (type === 'array') return 'many'
  if (type === 'boolean') return 'yes'
  if (type === 'integer') return 'whole'
  if (type === 'number') return 'number'
  if (schema.format === 'date') return 'date'
  if ((schema.maxLength ?? 0) > 120) return 'long'
  return 'text'
}

export function choicesOf(schema: Schema): Choice[] {
  if (schema.oneOf)
    return schema.oneOf.map((each) => ({
      value: each.const,
      text: (lang.value === 'zh' ? each.title : (each['x-en'] ?? each.title)) ?? String(each.const),
    }))
  return (schema.enum ?? []).map((value) => ({ value, text: String(value) }))
}

export function fieldsOf(schema: Schema, base = ''): Field[] {
  const required = new Set(schema.required ?? [])
  return Object.entries(schema.properties ?? {}).map(([name, each]) => ({
    name,
    pointer: `${base}/${name.replace(/~/g, '~0').replace(/\//g, '~1')}`,
    schema: each,
    kind: kindOf(each),
    required: required.has(name),
  }))
}

/* One thing a page: what carries the same x-page stands together; a group and a long text stand alone; the rest in threes. */
export function pagesOf(schema: Schema): Field[][] {
  const pages: Field[][] = []
  let open: { key: string; page: Field[] } | null = null
  for (const field of fieldsOf(schema)) {
    const alone = field.kind === 'group' || field.kind === 'long'
    const key = field.schema['x-page'] ?? (alone ? `/${field.name}` : '')
    if (open && open.key === key && (key !== '' || open.page.length < 3)) open.page.push(field)
    else {
      open = { key, page: [field] }
      pages.push(open.page)
    }
  }
  return pages
}

export function valueAt(values: Values, pointer: string): unknown {
  let at: unknown = values
  for (const part of pointer.split('/').slice(1)) at = (at as Values | undefined)?.[part.replace(/~1/g, '/').replace(/~0/g, '~')]
  return at
}

export function withValue(values: Values, pointer: string, value: unknown): Values {
  const [head = '', ...rest] = pointer.split('/').slice(1)
  const name = head.replace(/~1/g, '/').replace(/~0/g, '~')
  const next = { ...values }
  if (rest.length) next[name] = withValue((values[name] as Values | undefined) ?? {}, `/${rest.join('/')}`, value)
  else if (value === '' || value === undefined) delete next[name]
  else next[name] = value
  return next
}

function faultOf(field: Field, value: unknown): string | null {
  const { schema, kind } = field
  const name = labelOf(schema, field.name)
  const say = (pair: Pair, n?: number): string => fill(pick(pair), { name, n: n ?? 0 })
  const missing = value === undefined || value === null || value === '' || (Array.isArray(value) && !value.length)
  if (missing) return field.required ? say(kind === 'choice' || kind === 'many' ? common['form.choose'] : common['form.required']) : null
  if (kind === 'number' || kind === 'whole') {
    if (typeof value !== 'number' || !Number.isFinite(value)) return say(common['form.number'])
    if (kind === 'whole' && !Number.isInteger(value)) return say(common['form.whole'])
    if (schema.minimum !== undefined && value < schema.minimum) return say(common['form.min'], schema.minimum)
    if (schema.maximum !== undefined && value > schema.maximum) return say(common['form.max'], schema.maximum)
    return null
  }
  if (typeof value !== 'string') return null
  const length = [...value].length
  if (kind === 'date' && !(/^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value)))) return say(common['form.date'])
  if (schema.minLength !== undefined && length < schema.minLength) return say(common['form.short'], schema.minLength)
  if (schema.maxLength !== undefined && length > schema.maxLength) return say(common['form.long'], schema.maxLength)
  if (schema.format === 'id-number' && !idNumberHolds(value)) return say(common['form.id'])
  if (schema.pattern) {
    let holds = true
    try {
      holds = new RegExp(schema.pattern, 'u').test(value)
    } catch {
      // a pattern this browser cannot read is left to the node
    }
    if (!holds) return say(common['form.pattern'])
  }
  return null
}

export function check(fields: Field[], values: Values): Faults {
  const faults: Faults = {}
  for (const field of fields) {
    if (field.kind === 'group') {
      Object.assign(faults, check(fieldsOf(field.schema, field.pointer), values))
      continue
    }
    const fault = faultOf(field, valueAt(values, field.pointer))
    if (fault) faults[field.pointer] = fault
  }
  return faults
}

export function show(field: Field, values: Values): string {
  const value = valueAt(values, field.pointer)
  if (value === undefined || value === null || value === '') return '—'
  if (field.kind === 'yes') return pick(value ? common['yes'] : common['no'])
  if (field.kind === 'choice') return choicesOf(field.schema).find((each) => each.value === value)?.text ?? String(value)
  if (Array.isArray(value)) {
    const choices = choicesOf(field.schema.items ?? {})
    return value.map((each) => choices.find((choice) => choice.value === each)?.text ?? String(each)).join('、')
  }
  if (field.schema.format === 'member-code') return nodeName(String(value))
  if (field.schema.format === 'date-time') return exact(String(value))
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
