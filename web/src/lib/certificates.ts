// certificates.ts: the shapes of the node's answers about e-certificates, and their small words.
import type { Coded } from './types'
import type { Named } from './texts'

export interface CertificateField {
  name: string
  title: Named
  value: string | number | boolean
  disclosure?: 'always' | 'selective'
  always?: boolean
}
export type CertificateStatus = 'valid' | 'suspended' | 'revoked' | 'expired' | 'other'
export interface Held {
  id: string
  number: string
  type: Coded
  issuer: Coded | null
  office?: Named
  status: CertificateStatus
  issued: string
  expires: string | null
  simulated: boolean
  square: boolean
  fields: CertificateField[]
}
export interface Shown {
  id: string
  certificate: string
  verifier: string
  purpose: string | null
  claims: string[]
  at: string
}
export interface Check {
  valid: boolean
  carrier: 'token' | 'square' | 'page'
  reason: ({ type: string } & Named) | null
  type: Coded | null
  issuer: Coded | null
  number: string | null
  accepted: boolean
  holder_signed: boolean
  simulated: boolean
  issued: string | null
  expires: string | null
  status: { value: string | null; from: string; at: string | null }
  fields: CertificateField[]
}
export interface Wanted {
  query: string
  types: ({ vct: string } & Named)[]
  matches: { certificate: string; type: Named; number: string; issuer: Coded | null; discloses: CertificateField[] }[]
}
export interface Question {
  verifier: Coded
  office: string | null
  purpose: string | null
  expires: string
  request: string
  wanted: Wanted[]
  can_answer: boolean
}
export interface Asked {
  id: string
  link: string
  expires: string
}
export interface AskedResult {
  id: string
  state: 'asked' | 'answered' | 'refused' | 'expired'
  purpose: string
  expires: string
  answered: string | null
  result: { credentials?: { query: string; check: Check }[]; refused?: string } | null
}
export interface Issued {
  id: string
  number: string
  type: Coded
  holder_masked: string
  status: CertificateStatus
  operation: string
  issued: string
  expires: string | null
  wallet: string
  item: string | null
  case: string | null
  changes?: { at: string; operation: string; status: CertificateStatus; reason: string; law: string | null }[]
}
export interface CertificateType {
  code: string
  vct: string
  title: Named
  simulated: boolean
  claims: { path: [string]; display: { lang: string; label: string }[]; disclosure: 'always' | 'selective' }[]
}

export const base = '/certificates/v1'
export const labelOf = (claim: CertificateType['claims'][number]): Named => ({
  zh: claim.display.find((each) => each.lang.startsWith('zh'))?.label ?? claim.path[0],
  en: claim.display.find((each) => each.lang === 'en')?.label ?? claim.path[0],
})
export const textOf = (value: string | number | boolean): string => String(value)
