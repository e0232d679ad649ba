#!/usr/bin/env node
// make-name-table.mjs: makes src/kernel/records/names_table.c, by hand, from the Unicode data inside Node:  node tools/make-name-table.mjs
// The CJK compatibility ideographs (U+F900–FAFF, U+2F800–2FA1F) that have a canonical equivalent, the radicals (U+2E80–2FDF), and the places of GB 18030's former private use
// characters in GB 18030-2022.
import { writeFileSync } from 'node:fs'

const rows = []
for (const [from, to] of [[0xf900, 0xfaff], [0x2f800, 0x2fa1f]])
  for (let c = from; c <= to; c++) {
    const canonical = String.fromCodePoint(c).normalize('NFC').codePointAt(0)
    if (canonical !== c) rows.push([c, canonical])
  }
// Radicals look like the characters they are written with.
for (let c = 0x2e80; c <= 0x2fdf; c++) {
  const same = String.fromCodePoint(c).normalize('NFKC').codePointAt(0)
  if (same !== c) rows.push([c, same])
}
// GB 18030-2005 code → where it stood → where it stands since 2022.
const moved = [[0xe816, 0x20087], [0xe817, 0x20089], [0xe818, 0x200cc], [0xe81e, 0x9fb4], [0xe826, 0x9fb5], [0xe82b, 0x9fb6], [0xe82c, 0x9fb7],
  [0xe831, 0x215d7], [0xe832, 0x9fb8], [0xe83b, 0x2298f], [0xe843, 0x9fb9], [0xe854, 0x9fba], [0xe855, 0x241fe], [0xe864, 0x9fbb]]
const all = [...rows, ...moved].sort((a, b) => a[0] - b[0])
const lines = []
for (let i = 0; i < all.length; i += 8)
  lines.push('    ' + all.slice(i, i + 8).map(([a, b]) => `{0x${a.toString(16)}, 0x${b.toString(16)}}`).join(', ') + ',')
writeFileSync(new URL('../src/kernel/records/names_table.c', import.meta.url), `/* names_table.c — made by tools/make-name-table.mjs (Unicode ${process.versions.unicode}): characters that stand for another, ascending. */
#include "names-private.h"

const th_name_twin th_name_twins[] = {
${lines.join('\n')}
};
const size_t th_name_twin_count = sizeof th_name_twins / sizeof th_name_twins[0];
`)
console.log(all.length)
