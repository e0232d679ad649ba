// tools/check-style finds what it forbids: a tree with one fault of each kind, and the same tree without.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { root } from '../lib/region.mjs'

const dir = mkdtempSync(join(tmpdir(), 'tonghui-style-'))
after(() => rmSync(dir, { recursive: true, force: true }))
const check = () => {
  const r = spawnSync(join(root, 'tools/check-style'), [dir], { encoding: 'utf8' })
  assert.match(r.stdout, /^\d+ passed, \d+ failed$/m)
  return { code: r.status, out: r.stdout, rules: [...r.stdout.matchAll(/^(\w+):$/gm)].map((m) => m[1]) }
}
const clean = {
  'meson.build': "add_project_arguments('-Wvla')\n",
  'src/platform/base/base.c': '/* strcpy( in a comment, "atoi(" */\nvoid *x(void) { return malloc(3); }\n',
  'src/kernel/records/records.c': '#include "platform/base/base.h"\n#include "kernel/exchange/exchange.h"\n#include "records-private.h"\nint f(void) { return th_fail(e, TH_INVALID, "a", "甲", "one"); }\nconst char *s = "malloc(";\n',
  'src/services/government/government.c': '#include "kernel/cases/cases.h"\n',
  'src/node/node.c': '#include "services/government/government.h"\nint t(void) { return th_failf(e, TH_IO, "b", "%s：%s", "%s: %s", a, b); }\n',
  'src/kernel/records/schema.sql': '-- what it is\n-- distribute: register\nCREATE TABLE a (\n    b TEXT\n);\n\n-- reference\nCREATE TABLE c (d TEXT);\n',
}
const write = (name, text) => {
  mkdirSync(dirname(join(dir, name)), { recursive: true })
  writeFileSync(join(dir, name), text)
}
for (const [name, text] of Object.entries(clean)) write(name, text)

test('a clean tree passes', () => {
  const r = check()
  assert.deepEqual([r.code, r.rules], [0, []], r.out)
})

const faults = [
  ['banned', 'src/node/node.c', 'int f(void) { return atoi("3"); }\n'],
  ['banned', 'src/node/node.c', 'void f(char *a) { strcpy(a, "x"); }\n'],
  ['allocation', 'src/kernel/records/records.c', 'void *f(void) { return malloc(3); }\n'],
  ['allocation', 'src/kernel/records/records.c', 'long f(void) { return time(NULL); }\n'],
  ['variable', 'meson.build', "add_project_arguments('-Wall')\n"],
  ['includes', 'src/platform/base/base.c', '#include "kernel/exchange/exchange.h"\n'],
  ['includes', 'src/services/government/government.c', '#include "services/operations/operations.h"\n'],
  ['includes', 'src/services/government/government.c', '#include "kernel/cases/cases-private.h"\n'],
  ['includes', 'src/kernel/records/records.c', '#include "kernel/cases/cases.h"\n'],
  ['includes', 'src/kernel/records/records.c', '#include "node/node.h"\n'],
  ['languages', 'src/node/node.c', 'int f(void) { return th_fail(e, TH_INVALID, "a", "", "one"); }\n'],
  ['languages', 'src/node/node.c', 'int f(void) { return th_failf(e, TH_INVALID, "a", "甲 %s", "", x); }\n'],
  ['languages', 'src/node/node.c', 'int f(void) { return th_fail_field(e, "/a", "b", "one", "甲"); }\n'],
  ['tables', 'src/kernel/records/schema.sql', '-- a table\nCREATE TABLE a (b TEXT);\n'],
  ['tables', 'src/kernel/records/schema.sql', '-- reference\nCREATE TABLE a (b TEXT);\nCREATE TABLE c (d TEXT);\n'],
  ['long', 'src/node/node.c', 'int a;\n'.repeat(801)],
  ['unfinished', 'src/node/node.c', '/* TODO: all of it */\n'],
  ['unfinished', 'docs/a.md', 'This is a stub.\n'],
  ['places', 'docs/a.md', 'See /home/somebody/notes.\n'],
  ['places', 'web/package-lock.json', '{"resolved": "x"}\n'],
  ['ends', 'src/node/node.c', 'int a; \n'],
  ['ends', 'src/node/node.c', 'int a;'],
]
for (const [rule, name, text] of faults)
  test(`${rule}: ${text.slice(0, 60).trim()}`, () => {
    write(name, text)
    const r = check()
    if (clean[name]) write(name, clean[name])
    else rmSync(join(dir, name))
    assert.deepEqual([r.code, r.rules], [1, [rule]], r.out)
    assert.ok(r.out.includes(name), r.out)
  })
