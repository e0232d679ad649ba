// The operator and the auditor: who is a member, what was signed, what may be asked, is all well, and the proof of it in the browser.
import { createHmac } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startCase, until } from '../lib/region.mjs'
import { Peer } from '../lib/peer.mjs'
import { accessible, as, assert, foreign, go, region, settled, shoot } from './world.mjs'

test('auditor: reads the journal, checks a receipt in the browser, and sees a changed one fail', () =>
  as('110000', 'auditor', {}, async (v) => {
    const citizen = await region.signedIn('120000', 'citizen')
    await startCase(citizen)
    const { page } = v
    const journal = await region.signedIn('110000', 'auditor')
    await until('an entry of the case', async () => (await journal.get('/exchange/v1/journal?limit=50')).json.items.some((e) => e.item === 'HE-TALENT-CARD'))
    await go(v, '/operator/journal')
    await page.locator('tr', { hasText: '引进人才服务卡申领' }).first().locator('button').click()
    await page.locator('dialog .verdict.good').first().waitFor()
    /* With the message at hand the check begins at its bytes. */
    assert.ok((await page.locator('dialog .proof-steps > li.good').count()) >= 7)
    assert.ok((await page.locator('dialog .said').count()) === 2)
    await accessible(page, 'receipt')
    await shoot(page, 'journal-receipt-desk-zh', false)
    const asked = []
    page.on('request', (request) => asked.push(request.url()))
    await page.locator('dialog button', { hasText: '改一个字节试试' }).first().click()
    await page.locator('dialog .verdict.wrong').first().waitFor()
    assert.ok(await page.locator('dialog .proof-steps > li.wrong').count())
    assert.deepEqual(asked, [], 'the check asks nobody')
    await accessible(page, 'receipt that fails')
    await shoot(page, 'journal-tampered-desk-zh', false)
    await page.locator('dialog button', { hasText: '恢复原样' }).first().click()
    await page.locator('dialog .verdict.good').first().waitFor()
  }))

test('a receipt changed on its way fails in the browser, whatever was changed', () =>
  as('110000', 'operator', {}, async (v) => {
    const { page } = v
    const spoil = {
      entry: (r) => ({ ...r, entry: r.entry.replace('"answered"', '"answereD"').replace('"asked"', '"askeD"').replace('"sent"', '"senT"').replace('"received"', '"receiveD"') }),
      path: (r) => ({ ...r, path: r.path.length ? [r.path[0].replace(/^./, (c) => (c === 'A' ? 'B' : 'A')), ...r.path.slice(1)] : ['AAAA'] }),
      root: (r) => ({ ...r, head: { ...r.head, root: r.head.root.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')) } }),
      size: (r) => ({ ...r, head: { ...r.head, size: r.head.size + 1 } }),
      signature: (r) => ({ ...r, head: { ...r.head, sig: r.head.sig.replace(/^..../, 'AAAA') } }),
      key: (r) => ({ ...r, head: { ...r.head, kid: '0000000000000000' } }),
    }
    for (const [what, change] of Object.entries(spoil)) {
      await page.route('**/exchange/v1/receipts/*', async (route) => {
        const answer = await route.fetch()
        const json = await answer.json()
        await route.fulfill({ json: { ...json, receipts: json.receipts.map(change) } })
      })
      await go(v, '/operator/journal')
      await page.locator('tbody tr', { hasText: '作答' }).first().locator('button').click()
      await page.locator('dialog .verdict').first().waitFor()
      assert.equal(await page.locator('dialog .verdict.good').count(), 0, `${what} was changed and the receipt still holds`)
      await page.unroute('**/exchange/v1/receipts/*')
    }
  }))

test('operator: members, the trust document with its signatures checked here, and a forged one that does not hold', () =>
  as('110000', 'operator', {}, async (v) => {
    const { page } = v
    await go(v, '/operator')
    assert.equal(await page.locator('.member').count(), 4)
    await go(v, '/operator/trust')
    await page.locator('.mark.good', { hasText: '4 个签名成立' }).waitFor()
    await page.route('**/exchange/v1/region', async (route) => {
      const json = await (await route.fetch()).json()
      json.document.signed.members[0].portal = 'https://example.invalid'
      await route.fulfill({ json })
    })
    await go(v, '/operator/trust')
    await page.locator('.mark.wrong', { hasText: '不够' }).waitFor()
    await accessible(page, 'forged trust document')
    await shoot(page, 'trust-forged-desk-zh')
  }))

test('operator: withdraws a grant', () =>
  as('133100', 'operator', {}, async (v) => {
    const { page } = v
    const count = async () => (await (await fetch(`${region.nodes['133100'].portal}/exchange/v1/grants`)).json()).items.length
    const before = await count()
    await go(v, '/operator/grants')
    await page.locator('.grant-to button').last().click()
    await accessible(page, 'withdraw a grant')
    await page.locator('dialog .button.danger').click()
    await page.locator('dialog').waitFor({ state: 'detached' })
    assert.equal(await count(), before - 1)
  }))

test('an office asks for a dataset of another administration, and its operator makes it a grant', async () => {
  await as('133100', 'operator', {}, async (v) => {
    const { page } = v
    await go(v, '/catalogue/register-degrees')
    await page.locator('button', { hasText: '申请使用' }).click()
    await page.locator('dialog button[type=submit]').click()
    await page.locator('#request-item-fault').waitFor()
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'request-item')
    await accessible(page, 'request with faults')
    await page.locator('#request-provider').selectOption('110000')
    await page.locator('#request-item').selectOption('XA-HOUSING-RESERVE')
    for (const box of (await page.locator('dialog input[type=checkbox]').all()).slice(0, 2)) await box.check()
    await page.locator('#request-reason').fill('安居资格核验')
    await shoot(page, 'request-desk-zh', false)
    await page.locator('dialog button[type=submit]').click()
    await page.locator('dialog .mark.good').waitFor()
  })
  await as('110000', 'operator', { lang: 'en' }, async (v) => {
    const { page } = v
    await until('the request in Beijing', async () => {
      await go(v, '/operator/requests')
      return (await page.locator('.requests .button.small').count()) > 0
    })
    assert.deepEqual(await foreign(page, 'en'), [])
    await accessible(page, 'requests')
    await shoot(page, 'requests-desk-en')
    await page.locator('.requests .button.small').first().click()
    await page.locator('dialog button[type=submit]').click()
    await page.locator('#decide-reason-fault').waitFor()
    await page.locator('#decide-reason').fill('京津冀协议第三条')
    await page.locator('dialog button[type=submit]').click()
    await page.locator('.mark.good', { hasText: 'Granted' }).waitFor()
    const grants = (await (await fetch(`${region.nodes['110000'].portal}/exchange/v1/grants`)).json()).items
    assert.ok(grants.some((g) => g.id.startsWith('request-') && g.consumer.member === '133100'))
  })
  await as('133100', 'operator', {}, async (v) => {
    await until('the answer in Xiong\'an', async () => {
      await go(v, '/operator/requests')
      return (await v.page.locator('.mark.good', { hasText: '已批准' }).count()) > 0
    })
  })
})

test('duty officer: an alarm on the wall leads to its cause and leaves when it is dealt with', () =>
  as('110000', 'duty', {}, async (v) => {
    const { page } = v
    await go(v, '/wall')
    const peer = new Peer(region, '120000')
    await until('the alarm on the wall', async () => {
      await peer.ask('110000', [peer.line('110000', 'heads', { heads: [] })], { created: Math.floor(Date.now() / 1000) - 25 })
      await page.waitForTimeout(300)
      return (await page.locator('.wall-needs li', { hasText: '时钟' }).count()) > 0
    })
    await page.locator('.wall-top.attention').waitFor()
    await accessible(page, 'wall with an alarm')
    await shoot(page, 'wall-alarm-desk-zh', false)
    await page.locator('.wall-needs li a').first().click()
    await page.waitForURL('**/operator/links')
    await settled(page)
    await page.locator('.alarms button').click()
    await page.locator('dialog button[type=submit]').click()
    await page.locator('#alarm-note-fault').waitFor()
    await accessible(page, 'alarm')
    await page.locator('#alarm-note').fill('已请对方校时')
    await page.locator('dialog button[type=submit]').click()
    await page.locator('main', { hasText: '没有需要处理的告警' }).waitFor()
    await shoot(page, 'alarm-handled-desk-zh')
    await go(v, '/wall')
    assert.equal(await page.locator('.wall-needs li', { hasText: '时钟' }).count(), 0)
  }))

test('operator: makes a key that opens, revokes it and it opens no more', () =>
  as('130000', 'operator', {}, async (v) => {
    const { page } = v
    await go(v, '/operator/accounts')
    await page.locator('button', { hasText: '新建密钥' }).click()
    await page.locator('dialog button[type=submit]').click()
    await page.locator('#key-office-fault').waitFor()
    await accessible(page, 'key with faults')
    await page.locator('#key-name').fill('社保业务系统')
    await page.locator('#key-office').selectOption('HE-HRSS')
    await page.locator('dialog button[type=submit]').click()
    const key = await page.locator('#key-text').inputValue()
    await accessible(page, 'key made')
    await shoot(page, 'key-desk-zh', false)
    const ask = () =>
      fetch(`${region.nodes['130000'].portal}/exchange/v1/ask`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ provider: '110000', register: 'population', operation: 'verify', key: { id_number: '11010519491231002X' }, claims: { name: '不存在' }, purpose: { item: 'identity-check' } }),
      }).then((answer) => answer.status)
    assert.equal(await ask(), 200)
    await page.locator('dialog .button.plain', { hasText: '关闭' }).click()
    await page.locator('tr', { hasText: '社保业务系统' }).locator('button').click()
    await page.locator('dialog .button.danger').click()
    await page.locator('tr', { hasText: '已吊销' }).waitFor()
    assert.equal(await ask(), 401)
  }))

test('operator: imports a register; bad rows are told one by one', () =>
  as('133100', 'operator', {}, async (v) => {
    const { page } = v
    const file = join(region.dir, 'companies.csv')
    region.run('register', 'export', 'legal-persons', file, '--format', 'csv', '--node', region.nodes['133100'].dir)
    const { readFileSync } = await import('node:fs')
    const rows = readFileSync(file, 'utf8').trim().split('\n')
    writeFileSync(file, `${[...rows, rows[1].replace(/[0-9A-Z]{18}/, '911100000000000000')].join('\n')}\n`)
    await go(v, '/operator/registers')
    await page.locator('section', { hasText: 'legal-persons' }).locator('button', { hasText: '导入' }).click()
    await page.locator('dialog button[type=submit]').click()
    await page.locator('#import-fault').waitFor()
    await page.locator('#import-file').setInputFiles(file)
    await page.locator('dialog button[type=submit]').click()
    await page.locator('dialog', { hasText: '第 2 版' }).waitFor()
    assert.equal(await page.locator('dialog tbody tr').count(), 1)
    await accessible(page, 'import report')
    await shoot(page, 'import-desk-zh', false)
  }))

function codeOf(secret, at = Date.now()) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const bits = [...secret].map((c) => alphabet.indexOf(c).toString(2).padStart(5, '0')).join('')
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30000)))
  const mac = createHmac('sha1', key).update(counter).digest()
  const from = mac[19] & 15
  return String((mac.readUInt32BE(from) & 0x7fffffff) % 1e6).padStart(6, '0')
}

test('accountant: enrols one-time codes, signs in with one, and stops using them', () =>
  as('110000', null, {}, async (v) => {
    const { page } = v
    const signIn = async () => {
      await go(v, '/sign-in')
      await page.locator('#login').fill('accountant')
      await page.locator('#password').fill('tonghui-demo')
      await page.locator('button[type=submit]').click()
    }
    await signIn()
    await page.waitForURL((url) => url.pathname !== '/sign-in')
    await go(v, '/me')
    await page.locator('a[href="/me/totp"]').click()
    await page.locator('main button.button').click()
    await page.locator('.totp-picture').waitFor()
    await accessible(page, 'one-time codes')
    await shoot(page, 'totp-desk-zh')
    const secret = (await page.locator('.totp-secret').textContent()).replace(/\s/g, '')
    v.allow(/^POST \/people\/v1\/totp:confirm 4\d\d$/)
    await page.locator('#totp-code').fill('000000')
    await page.locator('form button[type=submit]').click()
    await page.locator('#totp-code-fault').waitFor()
    await page.locator('#totp-code').fill(codeOf(secret))
    await page.locator('form button[type=submit]').click()
    await page.locator('main .mark.good').waitFor()
    await go(v, '/me')
    await page.locator('button', { hasText: '退出登录' }).click()
    await page.waitForURL((url) => url.pathname === '/')
    v.allow(/^POST \/people\/v1\/session 401$/)
    await signIn()
    await page.locator('#totp').waitFor()
    assert.equal(await page.locator('.problem').count(), 0, 'being asked for the code is no fault')
    await page.locator('#totp').fill(codeOf(secret, Date.now() + 30000))
    await page.locator('button[type=submit]').click()
    await page.waitForURL((url) => url.pathname !== '/sign-in')
  }))
