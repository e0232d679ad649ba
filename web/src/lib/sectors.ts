// sectors.ts: the nine sectors that the catalogue is sorted by.
export const sectors = [
  'human-resources',
  'transport',
  'environment',
  'housing',
  'geo-information',
  'tourism',
  'health',
  'education',
  'innovation',
] as const
export type Sector = (typeof sectors)[number]
export const sectorOf = (name: string): Sector | null => sectors.find((each) => each === name) ?? null
export type Access = 'open' | 'conditional' | 'closed'
export const accessOf = (name: string): Access =>
  name === 'open' || name === 'public' ? 'open' : name === 'closed' || name === 'none' ? 'closed' : 'conditional'
