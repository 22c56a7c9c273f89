// SETTINGS_HEADER_TABLE_SIZE of a client, changed on the way (RFC 7541 section 4.2): the next block begins with the least
// size there was and the one that holds.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { RawH2, TYPE } from '../harness/raw-h2.ts'

const TABLE_SIZE = 1
const TO_ZERO = '20'
const TO_4096 = '3fe11f'

let proxy: InProcess
before(async () => {
  proxy = await InProcess.start(routeTo(1))
})
after(() => proxy.stop())

/** How the head of the next answer begins, in hexadecimal. */
async function nextBlock(client: RawH2): Promise<string> {
  const before = client.frames.length
  assert.equal((await client.over(client.get('/here'))).status, 200)
  const head = client.frames.slice(before).find(frame => frame.type === TYPE.headers)
  return head?.payload.toString('hex') ?? ''
}

for (const [what, settings, begins] of [
  ['smaller and back in one frame', [[TABLE_SIZE, 0, TABLE_SIZE, 4096]], TO_ZERO + TO_4096],
  [
    'smaller and back in two frames',
    [
      [TABLE_SIZE, 0],
      [TABLE_SIZE, 4096],
    ],
    TO_ZERO + TO_4096,
  ],
  ['back and smaller in one frame', [[TABLE_SIZE, 4096, TABLE_SIZE, 0]], TO_ZERO],
  ['larger than what is made use of', [[TABLE_SIZE, 0xffff_ffff]], ''],
] as const)
  test(what, async () => {
    const client = await RawH2.connect(proxy.port())
    const usual = await nextBlock(client)
    for (const pairs of settings) client.settings(pairs)
    const block = await nextBlock(client)
    if (begins === '') assert.notEqual(Number.parseInt(block.slice(0, 2), 16) & 0xe0, 0x20)
    else assert.ok(block.startsWith(begins), `${block} begins with ${begins}, not as ${usual}`)
    // What follows is understood still.
    for (let i = 0; i < 3; i++) assert.notEqual(await nextBlock(client), '')
    client.destroy()
  })
