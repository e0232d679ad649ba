// nodes.ts: the quiet hue of each administration, and its name when only a code is at hand.
import { node } from './session'
import { lang, say } from './texts'
import type { Coded } from './types'

const hues: Record<string, string> = { '110000': 'plum', '120000': 'teal', '130000': 'ochre', '133100': 'green' }
const names: Record<string, readonly [string, string]> = {
  '110000': ['北京市', 'Beijing'],
  '120000': ['天津市', 'Tianjin'],
  '130000': ['河北省', 'Hebei'],
  '133100': ['雄安新区', "Xiong'an"],
}

export const hueOf = (code: string | null | undefined): string => hues[code ?? ''] ?? 'grey'

export function nodeName(which: Coded | string | null | undefined): string {
  if (!which) return ''
  if (typeof which !== 'string') return say(which) || nodeName(which.code)
  const portal = node.value?.portals.find((each) => each.code === which)
  if (portal) return say(portal.name)
  const pair = names[which]
  return pair ? pair[lang.value === 'zh' ? 0 : 1] : which
}

const shorts: Record<string, readonly [string, string]> = {
  '110000': ['京', 'BJ'],
  '120000': ['津', 'TJ'],
  '130000': ['冀', 'HE'],
  '133100': ['雄', 'XA'],
}
/* One character in Chinese, two letters in English: for the heads of narrow tables, always beside a full name for those who listen. */
export function shortName(code: string): string {
  const pair = shorts[code]
  const name = nodeName(code)
  return pair ? pair[lang.value === 'zh' ? 0 : 1] : lang.value === 'zh' ? name.slice(0, 1) : name.slice(0, 2).toUpperCase()
}

export const codeOf = (which: Coded | string | null | undefined): string =>
  typeof which === 'string' ? which : (which?.code ?? '')
