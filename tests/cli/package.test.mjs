// The Debian package: builds, twice the same; holds what it should, where it should; what is in it runs from where it lies.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { root } from '../lib/region.mjs'

const dir = mkdtempSync(join(tmpdir(), 'tonghui-deb-'))
const run = (...words) => execFileSync(words[0], words.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
let deb, tree
before(() => {
  if (!existsSync(join(root, 'build/tonghui'))) run(join(root, 'run'), '--build-only')
  deb = run(join(root, 'packaging/make-deb'), join(dir, 'one')).trim()
  tree = join(dir, 'tree')
  mkdirSync(tree)
  run('dpkg-deb', '-x', deb, tree)
  run('dpkg-deb', '-e', deb, join(tree, 'DEBIAN'))
})
after(() => rmSync(dir, { recursive: true, force: true }))
const field = (name) => run('dpkg-deb', '-f', deb, name).trim()

test('the same files give the same package', () => {
  const again = run(join(root, 'packaging/make-deb'), join(dir, 'two')).trim()
  assert.deepEqual(readFileSync(again), readFileSync(deb))
})

test('its fields are whole: what the binary links against is what it depends on', () => {
  assert.equal(field('Package'), 'tonghui')
  assert.match(field('Version'), /^\d+\.\d+\.\d+$/)
  assert.equal(field('Architecture'), run('dpkg', '--print-architecture').trim())
  assert.match(field('Maintainer'), /^[^<]+ <[^>]+@[^>]+>$/)
  assert.match(field('Description'), /^\S.{10,70}\n( .+\n?)+$/)
  const depends = field('Depends').split(', ')
  for (const name of ['adduser', 'libc6', 'libmicrohttpd12', 'libgnutls30', 'libsqlite3-0', 'libpq5', 'libssl3', 'libsodium23']) assert.ok(depends.some((d) => d.split(' ')[0] === name), `${name} of ${depends}`)
  for (const d of depends) assert.match(d, /^[a-z0-9.+-]+( \(>= [0-9][^ )]*\))?$/)
})

test('every file is where Debian wants it, readable, and in the list of sums', () => {
  const files = run('dpkg-deb', '-c', deb).trim().split('\n').map((l) => l.match(/^(\S+) (\S+) +\d+ \S+ \S+ \.(\S*)/)).map(([, mode, owner, path]) => ({ mode, owner, path }))
  assert.ok(files.every((f) => f.owner === 'root/root'))
  assert.ok(files.every((f) => /^\/(usr\/(bin|share)|lib\/systemd)?/.test(f.path) && !f.path.startsWith('/usr/local')))
  for (const f of files.filter((f) => !f.path.endsWith('/'))) assert.equal(f.mode, f.path === '/usr/bin/tonghui' ? '-rwxr-xr-x' : '-rw-r--r--', f.path)
  for (const path of ['/usr/share/man/man1/tonghui.1.gz', '/usr/share/man/zh_CN/man1/tonghui.1.gz', '/usr/share/doc/tonghui/copyright', '/usr/share/doc/tonghui/changelog.gz', '/usr/share/bash-completion/completions/tonghui', '/lib/systemd/system/tonghui@.service', '/usr/share/tonghui/region/jingjinji/region.json', '/usr/share/tonghui/console/index.html'])
    assert.ok(files.some((f) => f.path === path), path)
  const sums = readFileSync(join(tree, 'DEBIAN/md5sums'), 'utf8').trim().split('\n')
  assert.equal(sums.length, files.filter((f) => !f.path.endsWith('/')).length)
  for (const line of sums) assert.equal(createHash('md5').update(readFileSync(join(tree, line.slice(34)))).digest('hex'), line.slice(0, 32), line)
  for (const script of ['postinst', 'prerm', 'postrm']) {
    assert.equal(statSync(join(tree, 'DEBIAN', script)).mode & 0o777, 0o755)
    assert.equal(spawnSync('sh', ['-n', join(tree, 'DEBIAN', script)]).status, 0)
  }
  assert.ok(!readFileSync(join(tree, 'usr/share/tonghui/region/jingjinji/region.json'), 'utf8').includes(root))
})

test('what it installs works: version, a node from the example’s members, a region made of its data', () => {
  const bin = join(tree, 'usr/bin/tonghui')
  assert.match(run(bin, 'version'), /^tonghui \d/)
  const node = join(dir, 'node')
  run(bin, 'init', node, '--code', '130000', '--region', join(tree, 'usr/share/tonghui/region/jingjinji'), '--console', join(tree, 'usr/share/tonghui/console'), '--portal-port', '1', '--peer-port', '2')
  const told = JSON.parse(spawnSync(bin, ['doctor', '--node', node, '--json'], { encoding: 'utf8' }).stdout)
  for (const check of ['configuration', 'keys', 'key-permissions', 'region-folder', 'console']) assert.equal(told.checks.find((c) => c.check === check).ok, true, check)
  const example = JSON.parse(readFileSync(join(tree, 'usr/share/doc/tonghui/examples/node.json'), 'utf8'))
  const made = JSON.parse(readFileSync(join(node, 'node.json'), 'utf8'))
  for (const key of Object.keys(example)) assert.ok(key in made, `the example's ${key} is a member of node.json`)
  run(bin, 'up', '--make-only', '--dir', join(dir, 'var'), '--region', join(tree, 'usr/share/tonghui/region/jingjinji'), '--people', '40')
  assert.equal(readdirSync(join(dir, 'var')).filter((n) => /^\d{6}$/.test(n)).length, 4)
})

test('the unit is one that systemd takes, and tight', { skip: spawnSync('systemd-analyze', ['--version']).status !== 0 && 'systemd-analyze is not here' }, () => {
  const unit = readFileSync(join(tree, 'lib/systemd/system/tonghui@.service'), 'utf8')
  assert.match(unit, /^ExecStart=\/usr\/bin\/tonghui serve --node \/var\/lib\/tonghui\/%i$/m)
  const said = spawnSync('systemd-analyze', ['verify', join(tree, 'lib/systemd/system/tonghui@.service')], { encoding: 'utf8' })
  const faults = (said.stdout + said.stderr).split('\n').filter((l) => l && !/is not executable|man tonghui|Command 'man/.test(l)) // it is not installed here
  assert.deepEqual(faults, [])
  const level = spawnSync('systemd-analyze', ['security', '--offline=yes', '--threshold=20', join(tree, 'lib/systemd/system/tonghui@.service')], { encoding: 'utf8' })
  assert.equal(level.status, 0, level.stdout.split('\n').slice(-3).join('\n'))
})
