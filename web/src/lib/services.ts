// services.ts: one service is offered by several administrations, each deciding its own; lists show it once.
import type { ItemBrief } from './types'

export interface Service {
  key: string
  offers: ItemBrief[]
}
export const forOrganisations = (item: ItemBrief): boolean => item.target.some((each) => each !== '1')
export const forPersons = (item: ItemBrief): boolean => item.target.includes('1')

/* The order of the node's list, with the region's own services, which stand in no common catalogue, before all others. */
export function servicesOf(items: ItemBrief[]): Service[] {
  const found = new Map<string, Service>()
  for (const item of [...items].sort((a, b) => Number(a.topic !== null) - Number(b.topic !== null))) {
    const key = item.topic ?? item.code
    const service = found.get(key)
    if (service) service.offers.push(item)
    else found.set(key, { key, offers: [item] })
  }
  for (const { offers } of found.values()) offers.sort((a, b) => (a.owner?.code ?? '').localeCompare(b.owner?.code ?? ''))
  return [...found.values()]
}
