// The command line's own promises: every verb, every option, both languages, the exit codes; manual pages and completion that fit it.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { binary, root } from '../lib/region.mjs'

const dir = mkdtempSync(join(tmpdir(), 'tonghui-cli-'))
after(() => rmSync(dir, { recursive: true, force: true }))
const plain = { ...process.env, TONGHUI_LANG: 'zh' }
delete plain.TONGHUI_NODE
delete plain.TONGHUI_KEY
const run = (...words) => {
  const r = spawnSync(binary, words, { encoding: 'utf8', env: plain, input: '' })
  return { code: r.status, out: r.stdout, err: r.stderr }
}
const table = JSON.parse(run('help', '--json').out)
const chinese = /[\u4e00-\u9fff]/

test('every verb tells its use and its options in both languages', () => {
  assert.ok(table.verbs.length >= 35)
  for (const v of table.verbs) {
    const words = v.name.split(' ')
    for (const lang of ['zh', 'en']) {
      const told = run(...words, '--help', '--lang', lang)
      assert.equal(told.code, 0, v.name)
      assert.equal(told.err, '')
      assert.ok(told.out.startsWith(`tonghui ${v.name}`), told.out)
      assert.ok(told.out.includes(v[lang]), `${v.name} ${lang}`)
      for (const o of [...v.options, ...table.everywhere]) {
        assert.ok(chinese.test(o.zh) && !chinese.test(o.en), `${v.name} --${o.name}`)
        assert.ok(told.out.includes(`--${o.name}`) && told.out.includes(o[lang]), `${v.name} --${o.name} ${lang}`)
      }
    }
    assert.ok(chinese.test(v.zh) && !chinese.test(v.en), v.name)
  }
})

test('nothing said, help said and a group said', () => {
  for (const words of [[], ['--help'], ['-h'], ['help']]) {
    const told = run(...words)
    assert.equal(told.code, 0)
    for (const v of table.verbs) assert.ok(told.out.includes(`tonghui ${v.name}`), v.name)
  }
  assert.equal(run('region').code, 2)
  const group = run('region', '--help')
  assert.equal(group.code, 0)
  assert.ok(group.out.includes('region propose') && !group.out.includes('user add'))
  assert.equal(run('help', 'region', 'sign').out, run('region', 'sign', '--help').out)
  assert.match(run('--lang', 'en', '--help').out, /Exit codes/)
})

test('what is not known is refused, never ignored', () => {
  const wrong = [
    ['nonsense'], ['region', 'nonsense'], ['help', 'nonsense'], ['serve', '--nodee', 'x'], ['--bogus'], ['version', 'extra'], ['init', '--code'],
    ['init', join(dir, 'n'), '--code', '12', '--region', 'x'], ['init', join(dir, 'n'), '--code', '120000', '--region', join(dir, 'nowhere')],
    ['init', join(dir, 'n'), '--code', '120000', '--region', root, '--suite', 'rot13'], ['init', join(dir, 'n'), '--code', '120000', '--region', root, '--portal-port', '70000'],
    ['serve'], ['journal', 'tail', '0', '--node', dir], ['up', '--region', root, '--people', '5'], ['up', '--region', root, '--people', 'many'],
    ['up', '--region', root, '--store', 'postgresql:///one'], ['simulate', 'perhaps', '--node', dir], ['ask', 'x', '--node', dir],
    ['key', 'new', 'house', '--node', dir], ['register', 'import', 'a', 'b', '--format', 'xml', '--node', dir], ['catalogue', 'show', '../x', '--node', dir],
    ['up', '--fresh=yes', '--region', root],
  ]
  for (const words of wrong) {
    const told = run(...words)
    assert.equal(told.code, 2, `${words.join(' ')} → ${told.code} ${told.err}`)
    assert.equal(told.out, '')
    assert.ok(chinese.test(told.err))
    const english = run(...words, '--lang=en')
    assert.ok(english.err && !chinese.test(english.err), english.err)
    const json = run(...words, '--json')
    assert.equal(json.code, 2)
    assert.equal(JSON.parse(json.out).type, 'urn:tonghui:problem:usage')
  }
})

test('global options stand anywhere; two dashes end options', () => {
  for (const words of [['--json', 'version'], ['version', '--json'], ['--lang', 'en', '--json', 'version']]) assert.match(JSON.parse(run(...words).out).version, /^\d+\.\d+\.\d+$/)
  assert.equal(run('region', 'show', '--', '--json').code, 3) // a file of that name, which is not there
})

test('exit codes: failed, refused, unavailable', () => {
  const node = join(dir, 'node')
  assert.equal(run('init', node, '--code', '120000', '--region', join(root, 'region/jingjinji'), '--portal-port', '1', '--peer-port', '2').code, 0)
  assert.equal(statSync(join(node, 'keys/message.json')).mode & 0o777, 0o600)
  const again = run('init', node, '--code', '120000', '--region', join(root, 'region/jingjinji'))
  assert.equal(again.code, 3, again.err) // keys are not overwritten
  writeFileSync(join(dir, 'bad.json'), '{"signed":')
  assert.equal(run('region', 'show', join(dir, 'bad.json')).code, 1)
  assert.equal(run('region', 'show', join(dir, 'none.json')).code, 3)
  assert.equal(run('region', 'show', '--node', node).code, 3) // no trust document yet
  const away = run('catalogue', 'list', '--node', node, '--json')
  assert.equal(away.code, 4)
  assert.equal(JSON.parse(away.out).type, 'urn:tonghui:problem:peer-unavailable')
  const words = JSON.parse(run('region', 'show', join(dir, 'none.json'), '--json').out)
  assert.ok(chinese.test(words.title_zh) && !chinese.test(words.title_en))
})

test('the manual pages and the completion are what the table says', () => {
  const made = join(dir, 'made')
  execFileSync('node', [join(root, 'tools/make-manual.mjs'), made], { env: { ...plain, TONGHUI_BINARY: binary } })
  for (const name of readdirSync(made)) assert.equal(readFileSync(join(root, 'packaging', name), 'utf8'), readFileSync(join(made, name), 'utf8'), `${name}: run tools/make-manual.mjs`)
  for (const name of ['tonghui.1', 'tonghui.zh_CN.1']) {
    const lint = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', join(made, name)], { encoding: 'utf8' })
    assert.equal(lint.stdout + lint.stderr, '', name)
    assert.equal(lint.status, 0)
    const shown = spawnSync('mandoc', ['-T', 'utf8', join(made, name)], { encoding: 'utf8' }).stdout.replace(/.\x08/gu, '')
    for (const v of table.verbs) assert.ok(shown.includes(`tonghui ${v.name}`), `${name} ${v.name}`)
  }
})

test('completion offers verbs, their second words, options and values', () => {
  const script = `
    source ${join(root, 'packaging/tonghui.bash-completion')}
    offer() { COMP_WORDS=(tonghui "$@"); COMP_CWORD=$#; _tonghui; echo "\${COMPREPLY[*]}"; }
    cd ${dir}
    offer ""; offer re; offer region ""; offer region s; offer region propose --s; offer user add --; offer simulate o; offer key new c
    offer register import x y --format ""; offer --lang ""; offer --json jour; offer --node . journal ""; offer init ./no
  `
  const lines = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
  assert.equal(lines.stderr, '')
  const [all, re, region, s, propose, user, simulate, key, format, lang, jour, journal, init] = lines.stdout.split('\n').map((l) => l.split(' ').filter(Boolean))
  assert.deepEqual(all.toSorted(), [...new Set(table.verbs.map((v) => v.name.split(' ')[0]))].toSorted())
  assert.deepEqual(re, ['region', 'register', 'receipt', 'restore'])
  assert.deepEqual(region, ['member', 'init', 'propose', 'sign', 'apply', 'show', 'diff'])
  assert.deepEqual(s, ['sign', 'show'])
  assert.deepEqual(propose, ['--suspend'])
  assert.ok(user.includes('--role') && user.includes('--json'))
  assert.deepEqual(simulate, ['on', 'off'])
  assert.deepEqual(key, ['certificate', 'certificate-p256'])
  assert.deepEqual(format, ['csv', 'jsonl'])
  assert.deepEqual(lang, ['zh', 'en'])
  assert.deepEqual(jour, ['journal'])
  assert.deepEqual(journal, ['tail', 'check'])
  assert.deepEqual(init, ['./node'])
})
