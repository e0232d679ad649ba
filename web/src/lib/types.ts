// types.ts: the shapes of the node's answers, as far as pages read them.
import type { Named } from './texts'

export interface Coded extends Named {
  code: string
}
export type Role = 'citizen' | 'clerk' | 'head' | 'duty' | 'accountant' | 'operator' | 'auditor'

export interface Account {
  id: string
  login: string
  name: string
  roles: Role[]
  office: Coded | null
  totp: boolean
  disabled: boolean
}
export interface Session {
  account: Account | null
  csrf?: string
  expires?: string
}
export interface ApiKey {
  id: string
  name: string
  office: Coded
  made: string
  revoked: boolean
}

export interface DemoLogin {
  role: Role
  login: string
  password: string
  name: Named
  sample?: Record<string, string>
}
export interface NodeInfo {
  code: string
  name: Named
  region: { id: string } & Named
  version: string
  demonstration: boolean
  tour?: boolean /* there is one to follow */
  logins?: DemoLogin[]
  offices: Coded[]
  purposes: Coded[]
  portals: { code: string; name: Named; url: string }[]
}

export interface TrustKey {
  kid: string
  suite: string
  public: string
  use: string | string[]
  not_before: string
  not_after: string
}
export type MemberKey = Omit<TrustKey, 'public'>
export interface TrustDocument {
  signed: {
    region: string
    name?: Named
    version: number
    issued: string
    expires: string
    governors: { threshold: number; keys: { kid: string; suite: string; public: string; holder: string }[] }
    members: { code: string; name: Named; peer: string; portal: string; keys: TrustKey[]; tls: string[] }[]
    suspended: string[]
  }
  signatures: { kid: string; sig: string }[]
}
export interface RegionInfo {
  document: TrustDocument
  version: number
  issued: string
  expires: string
  live: boolean
  members: { code: string; name: Named; peer: string; portal: string; suspended: boolean; keys: MemberKey[] }[]
  governors: { threshold: number; keys: { kid: string; holder: string; suite: string; signed: boolean }[] }
  warnings: ({ type: string } & Named)[]
}

export interface Head {
  log: string
  size: number
  root: string
  at: string
  suite: string
  kid: string
  sig: string
}
export interface Receipt {
  entry: string
  path: string[]
  head: Head
}
/* The lines themselves are told to auditors only, and are gone once their time is over. */
export interface Receipts {
  direction?: 'asked' | 'answered'
  message?: string | null
  answer?: string | null
  receipts: Receipt[]
}

export interface JournalItem {
  index: number
  at: string
  direction: string
  peer: string
  id: string
  leaf: string
  answer: string
  item: string | null
  case: string | null
  grant: string | null
  private: string | null
}
export interface JournalPage {
  log: string
  items: JournalItem[]
  head: Head | null
  next: number | null
}

export interface Grant {
  id: string
  provider: string
  register: string
  operation: string
  fields: string[]
  consumer: { member: string; office?: string; role?: string }
  purposes: string[]
  basis: Named | string
  consent: string
  rate: number
  not_before: string
  not_after: string
}

export interface Link {
  peer: string
  name: Named
  up: boolean
  last_ok: string | null
  round_trip_us: number
  skew_us: number
  waiting: number
  in_flight: number
  batches: number
  messages: number
  failures: number
  outbox: { waiting: number; dead: number; oldest: string | null }
  head: Head | null
  error: string | null
}
export interface Alarm extends Named {
  id: string
  at: string
  kind: string
  peer: string
  detail: string
  handled: string | null
  handled_by: string | null
  note: string | null
}

export interface ItemBrief {
  code: string
  title: Named
  owner: Coded | null
  office: Coded
  limit_days: number
  fee_fen: number
  anywhere: boolean
  simulated: boolean
  /* Parts of it were written for the demonstration, and it is no office's own list. */
  illustrative: boolean
  kind: string
  topic: string | null
  target: string[]
  modes: string[]
  version: number
}
export interface FieldName extends Named {
  name: string
}
export interface EvidenceRule {
  id: string
  title: Named
  provider: Coded
  register: string
  operation: string
  fields: FieldName[]
  consent: boolean
}
export interface Schema {
  $schema?: string
  type?: string | string[]
  title?: string
  'x-en'?: string
  description?: string
  'x-en-description'?: string
  properties?: Record<string, Schema>
  required?: string[]
  enum?: (string | number)[]
  oneOf?: { const: string | number; title?: string; 'x-en'?: string }[]
  items?: Schema
  format?: string
  pattern?: string
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  default?: unknown
  'x-page'?: string
  'x-from'?: string
  'x-personal'?: boolean
}
export interface Paper {
  id: string
  title: Named
  obtain: 'register' | 'ecert' | 'promise' | 'upload' | 'defer'
  required?: boolean
  register?: string
  provider?: string
  ecert?: string
  promise?: Named
  alternatives?: Named
  when?: { field?: string; equals?: unknown; material?: string }
  defer_days?: number
  copies?: number
  form?: string
  basis?: Named
}
export interface Item extends ItemBrief {
  conditions: Named[] | null
  materials: Paper[] | null
  basis: Named[]
  process: Named[] | null
  form: Schema
  evidence: EvidenceRule[]
  statutory_days: number | null
  promised_days: number | null
  day_unit: string | null
  special: { reason: string }[] | null
  joint: Named[] | null
  handle: string | null
  fees: { title: Named; fen: number; basis: Named }[] | null
  result: { type: string; title: Named; certificate?: string; fields?: unknown } | null
  visits: number | null
  visit_reason: Named | null
  depth: string | null
  window: { place: Named; time: Named } | null
  mail: boolean | null
  pay: unknown
  contact: { ask?: string; complain?: string } | null
  appeal: { organ: Named; court: Named; reconsideration_days: number; litigation_months: number; law: Named } | null
  quota: unknown
  intermediary: unknown
  basic_code: string | null
  impl_code: string | null
  level: string | null
  state: string
  power_source: string | null
  valid_from: string | null
  valid_to: string | null
  illustrative_parts: string[]
  hash: string
}

/* The rows of region/<region>/cases.json; `refused` is a decision against the applicant. */
export type CaseState =
  | 'evidence'
  | 'handed_over'
  | 'received'
  | 'correction'
  | 'accepted'
  | 'review'
  | 'suspended'
  | 'consulting'
  | 'proposed'
  | 'decided'
  | 'refused'
  | 'delivered'
  | 'out_of_scope'
  | 'lapsed'
  | 'withdrawn'
  | 'terminated'
  | 'reconsideration'
  | 'annulled'
  | 'cancelled'
export type Result = 'match' | 'mismatch' | 'no_record' | 'indeterminate'

export interface CaseBrief {
  id: string
  number: string
  item: Coded
  applicant_name: string
  state: CaseState
  owner: string
  origin: string
  due: string | null
  updated: string
}
export interface Evidence {
  id: string
  title: Named
  provider: Coded
  register: string
  state: 'waiting' | 'answered' | 'unreachable' | 'refused'
  results?: Record<string, Result>
  message: string | null
  receipt?: Receipt
  problem: string | null
  at: string | null
  consent?: { revoked: string | null }
}
export interface CaseEvent extends Named {
  seq: number
  at: string
  node: Coded
  kind: string
  law?: Named
  letter?: Named
  detail: {
    [other: string]: unknown
    kind?: string
    channel?: string
    evidence?: string
    state?: string
    results?: Record<string, Result>
    problem?: string
    outcome?: string
    note?: string
    reason?: string
    law?: string
  }
  message: string | null
}
export interface StepField {
  name: string
  type: string
  title: Named
  required: boolean
  required_when?: Record<string, string>
  hidden?: boolean
  min?: number
  max?: number
  options?: ({ value: string } & Named)[]
}
export interface CaseStep {
  action: string
  title: Named
  law?: Named
  fields?: StepField[]
  reasons?: ({ value: string; days: number } & Named)[]
}
/* The statutory clock; days are dates of Shanghai's calendar. */
export interface CaseClock {
  state: string
  deemed: boolean
  extended: boolean
  provisional: boolean
  received?: string
  start?: string
  promised_due?: string
  statutory_due?: string
  next_due?: string
  spent_days?: number
  left_days?: number
  excluded_days?: number
  load_percent?: number
}
export interface Material {
  code: string
  name: string
  mime: string
  size: number
  sha256: string
  state: string
  at: string
}
export interface Case {
  id: string
  number: string
  item: Coded & { version: number }
  state: CaseState
  state_words: Named
  outcome: string | null
  origin: Coded
  owner: Coded
  applicant: { name: string; id_masked: string }
  form: Record<string, unknown>
  evidence: Evidence[]
  events: CaseEvent[]
  created: string
  updated: string
  due: string | null
  actions: string[]
  steps: CaseStep[]
  clock?: CaseClock
  materials: Material[]
  missing: Paper[]
  simulated: boolean
}
/* What another administration asks this one about its case. */
export interface Consult {
  case: string
  consult: string
  asker: string
  number: string
  item: string
  title: Named
  applicant: string
  question: string
  state: string
  opinion: string | null
  words: string | null
  due: string
  created: string
}
/* What this node decides, counted per item; shares in hundredths of a percent, null when nothing was counted. */
export interface ItemFigures {
  item: string
  title: Named
  cases: number
  decided: number
  approved: number
  days_taken: number
  days_promised: number
  at_counter: number
  rated: number
  papers_verified: number
  papers_uploaded: number
  open: number
  overdue: number
  extended: number
  on_time_e4: number | null
  papers_avoided_e4: number | null
  no_visit_e4: number | null
  satisfied_e4: number | null
}
export interface Statistics {
  member: string
  at: string
  items: ItemFigures[]
}
export interface Page<T> {
  items: T[]
  next: string | null
}

export interface Looks {
  items: Look[]
  unreachable: (Coded & { problem: string })[]
  next: string | null
}
export interface Look {
  provider: Coded
  at: string
  consumer: Coded
  office: string | null
  register: string
  fields: string[]
  operation: string
  item: string | null
  case: string | null
  grant: string | null
  basis?: { kind: 'consent' | 'duty' | 'application' | null; law: { zh: string | null; en: string | null } }
  message: string
  receipt: Receipt | null
}

export interface Register {
  name: string
  title: Named
  owner: Named
  standard: Named
  sector: string
  source: string
  fields: { name: string; title: Named; type: string; key: boolean; verify: boolean; query: boolean; sensitive: boolean }[]
  entries: number
  version: number
  updated: string | null
  simulated: boolean
}
export interface ImportReport {
  version: number
  kept: number
  refused: number
  report: ({ line: number; field: string; code: string } & Named)[]
}

export interface DatasetBrief {
  id: string
  title: Named
  description: Named
  publisher: Coded
  sector: string
  access: string
  licence: string | null
  refresh: Named | null
  updated: string | null
  formats: string[]
  rows: number | null
  simulated: boolean
}
export interface Dataset extends DatasetBrief {
  fields: { name: string; title: Named; type: string; verify?: boolean; sensitive?: boolean; unit?: string; length?: string | number | null }[]
  /* Yes-or-no questions that may be asked beside the fields. */
  conditions: { name: string; title: Named }[]
  resource_code: string
  kind: string
  open: boolean
  sharing: { kind: string; basis?: Named }
  published: string | null
  /* Services that ask it. */
  items: string[]
  spatial: Named | null
  temporal: { from?: string | null; to?: string | null } | null
  conformsTo: string | Named | null
  source: Named | null
  distributions: { format: string; url: string; bytes: number | null }[]
}
export interface DataRequest {
  id: string
  dataset: string
  title: Named | null
  provider: string
  consumer: string
  office: string | null
  reason: string
  fields: string[]
  item: string | null
  by: string
  at: string
  state: 'waiting' | 'granted' | 'refused'
  outcome: string | null
}

export interface WallNode {
  code: string
  name: Named
  lon: number
  lat: number
  up: boolean
  suspended: boolean
  verifies_per_s: number
  messages_per_s: number
  latency_p50_us: number
  latency_p99_us: number
  faults: number
  outbox: number
  head_size: number
}
export interface Flow {
  from: string
  to: string
  per_s: number
}
export interface Attention extends Named {
  level: string
  at: string
  peer: string
  href: string
}
export interface Minute {
  at: string
  messages: number
  verifies: number
  faults: number
}
export interface Wall {
  region: { id: string } & Named
  nodes: WallNode[]
  flows: Flow[]
  attention: Attention[]
  minutes: Minute[]
  now: string
  simulated: boolean
}

export interface Crossed {
  label: Named
  json: unknown
  from: string
  to: string
}
export interface TourLook {
  provider: string
  at: string
  consumer: string
  office: string | null
  register: string
  fields: string
  operation: string
  item: string | null
  message: string
}
export interface TourStep {
  step: number
  title: Named
  text: Named
  crossed: Crossed[]
  kept: Named[]
  proof?: Receipt
  looks?: TourLook[]
  at: string
  state: 'running' | 'done' | 'failed'
}
