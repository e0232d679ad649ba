// map.ts: the region's outline and where things stand on it. A plain projection: degrees of longitude shrunk by cos 39°.
import outline from '@/assets/region-outline.json'

export interface Area {
  code: string
  member: string
  name: { zh: string; en: string }
  path: string
  at: [number, number]
}
const UNIT = 100
const SHRINK = Math.cos((39.2 * Math.PI) / 180)
const WEST = 113
const NORTH = 43

export const project = (lon: number, lat: number): [number, number] => [(lon - WEST) * SHRINK * UNIT, (NORTH - lat) * UNIT]

function ringPath(ring: number[], points: [number, number][]): string {
  let x = 0
  let y = 0
  let path = ''
  for (let i = 0; i < ring.length; i += 2) {
    x += ring[i] ?? 0
    y += ring[i + 1] ?? 0
    const [px, py] = project(x / outline.grid, y / outline.grid)
    points.push([px, py])
    path += `${i ? 'L' : 'M'}${px.toFixed(1)} ${py.toFixed(1)}`
  }
  return `${path}Z`
}

export const areas: Area[] = outline.areas.map((area) => {
  const points: [number, number][] = []
  const path = area.rings.map((ring) => ringPath(ring, points)).join('')
  const xs = points.map((point) => point[0])
  const ys = points.map((point) => point[1])
  return {
    code: area.code,
    member: area.member,
    name: { zh: area.zh, en: area.en },
    path,
    at: [(Math.min(...xs) + Math.max(...xs)) / 2, (Math.min(...ys) + Math.max(...ys)) / 2],
  }
})

export const places: Record<string, [number, number]> = {
  '110000': project(116.4, 39.9),
  '120000': project(117.2, 39.12),
  '130000': project(114.51, 38.04),
  '133100': project(115.98, 38.98),
}

/* What to show in a frame of this shape: all of the region where it is tall, or `whole`; where it is wide, the part where the nodes are. */
export function frame(width: number, height: number, whole = false): { x: number; y: number; w: number; h: number } {
  const all = { x: 20, y: 20, w: 545, h: 690 }
  const shape = width / Math.max(1, height)
  const least = 430
  if (shape < 0.8) {
    const h = all.w / shape
    return { x: all.x, y: all.y + (all.h - h) / 2, w: all.w, h }
  }
  const closer = whole ? 0 : Math.min(1, Math.max(0, (shape - 1.15) / 1.2))
  const h = all.h + (least - all.h) * closer
  const w = h * shape
  const cx = all.x + all.w / 2 + 110 * closer
  const cy = all.y + all.h / 2 + (348 - all.y - all.h / 2) * closer
  return { x: cx - w / 2, y: cy - h / 2, w, h }
}

/* A bow between two places, always to the same side of the way, so that there and back do not lie on each other. */
export function bow(from: [number, number], to: [number, number]): { d: string; at: (t: number) => [number, number] } {
  const [x0, y0] = from
  const [x1, y1] = to
  const mx = (x0 + x1) / 2 - (y1 - y0) * 0.16
  const my = (y0 + y1) / 2 + (x1 - x0) * 0.16
  return {
    d: `M${x0.toFixed(1)} ${y0.toFixed(1)}Q${mx.toFixed(1)} ${my.toFixed(1)} ${x1.toFixed(1)} ${y1.toFixed(1)}`,
    at: (t) => {
      const u = 1 - t
      return [u * u * x0 + 2 * u * t * mx + t * t * x1, u * u * y0 + 2 * u * t * my + t * t * y1]
    },
  }
}
