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

export const codeOf = (which: Coded | string | null | undefined): string =>
  typeof which === 'string' ? which : (which?.code ?? '')
