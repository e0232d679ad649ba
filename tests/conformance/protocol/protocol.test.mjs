// docs/protocol.md against the wire: its worked example holds to the last byte, a changed one does not, and a new exchange looks the same.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { check, document, make, read, write } from './example.mjs'

const text = readFileSync(document, 'utf8')

test('the worked example holds: digest, root, both signatures, entries, range proof, tree head', () => {
  const { entries, answers } = check(read(text))
  assert.equal(entries.length, 2)
  assert.deepEqual(answers.map((a) => a.status), [200, 403])
  assert.ok(text.includes(entries[0]), 'the document shows the entry that is to be rebuilt')
})

test('with any part of it changed it does not hold', () => {
  const whole = read(text)
  const spoilt = [
    { requestBody: whole.requestBody.replace('verify', 'Verify') },
    { answerBody: whole.answerBody.replace('"match"', '"Match"') },
    { uri: `${whole.uri}s` },
    { status: 201 },
    { request: { ...whole.request, 'tonghui-batch': whole.request['tonghui-batch'].replace('n=2', 'n=3') } },
    { keys: { ...whole.keys, answering_journal: whole.keys.answering_message } },
  ]
  for (const change of spoilt) assert.throws(() => check({ ...whole, ...change }), /does not hold/, JSON.stringify(change).slice(0, 80))
})

test('two nodes speak today as the document says', async () => {
  const made = read(`<!-- example begins -->${write(await make())}<!-- example ends -->`)
  check(made)
  const shape = (e) => [Object.keys(e.request), Object.keys(e.answer), e.requestBody.trim().split('\n').map((l) => Object.keys(JSON.parse(l))), e.answerBody.trim().split('\n').map((l) => Object.keys(JSON.parse(l)))]
  assert.deepEqual(shape(made), shape(read(text)))
})
