// Rows 34, 35 and 39 of docs/security.md: header blocks without end, of great weight, and that are none.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { InProcess } from '../harness/in-process.ts'
import { CODE, literals, pseudo, RawH2, TYPE } from '../harness/raw-h2.ts'

const END_STREAM = 1
const END_HEADERS = 4

let upstream: HttpUpstream
let proxy: InProcess
before(async () => {
  upstream = await HttpUpstream.listen()
  proxy = await InProcess.start(routeTo(upstream.port))
})
after(async () => {
  await proxy.stop()
  await upstream.close()
})

test('row 34: CONTINUATION without end is cut after little, whatever it holds', async () => {
  const pieces: Record<string, Buffer> = {
    empty: Buffer.alloc(0),
    small: literals(['x', 'y']),
    large: literals(['x', 'y'.repeat(16_000)]),
  }
  for (const [what, piece] of Object.entries(pieces)) {
    const client = await RawH2.connect(proxy.port())
    client.frame(TYPE.headers, 0, 1, literals(pseudo('GET', '/')))
    let sent = 0
    while (!client.closed && client.goaway === null && sent < 100_000) {
      for (let i = 0; i < 50; i++, sent++) client.frame(TYPE.continuation, 0, 1, piece)
      await new Promise(resolve => setImmediate(resolve))
    }
    assert.equal(await client.gone(), CODE.calm, what)
    assert.ok(sent < 20_000, `${what}: ${sent} frames`)
    client.destroy()
  }
  await proxy.serves()
})

test('row 35: a bomb of references is refused by what it stands for, and costs no memory', async () => {
  // One field of 4,000 bytes in the table, then references of a byte each: 16 KiB of them would be 64 MB.
  const field = Buffer.concat([Buffer.from([0x40]), literals(['x-bomb', 'b'.repeat(4000)]).subarray(1)])
  const client = await RawH2.connect(proxy.port(), { settings: [4, 0] })
  const references = Buffer.alloc(14_000, 0x80 | 62)
  const before = process.memoryUsage().rss
  const ids = Array.from({ length: 100 }, (_, i) => 1 + 2 * i)
  for (const id of ids) {
    const first = id === 1 ? field : Buffer.alloc(0)
    const block = Buffer.concat([literals(pseudo('GET', '/')), first, references])
    client.frame(TYPE.headers, END_HEADERS | END_STREAM, id, block.subarray(0, 16_384))
  }
  // The window of their bodies is zero: not even the refusals can be sent whole.
  await client.until('431', () => ids.every(id => client.answer(id).status === 431))
  const grown = process.memoryUsage().rss - before
  assert.ok(grown < 64e6, `the process grew by ${grown} bytes`)
  client.window(0, 1)
  client.settings([4, 65_535])
  for (const id of ids) await client.over(id)
  client.destroy()
  await proxy.serves()
})

test('row 35: crumbs of a cookie count as fields', async () => {
  const client = await RawH2.connect(proxy.port())
  const crumbs = (count: number): string[] =>
    Array.from({ length: count }, (_, i) => ['cookie', `c${i}=1`]).flat()
  assert.equal((await client.over(client.get('/here', ...crumbs(90)))).status, 200)
  assert.equal((await client.over(client.get('/here', ...crumbs(101)))).status, 431)
  client.destroy()
})

test('row 39: blocks that are none end the session with COMPRESSION_ERROR, and the process lives', async () => {
  const blocks: Record<string, number[]> = {
    'index 0': [0x80],
    'an index beyond the table': [0xff, 0x80, 0x01],
    'an integer without end': [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    'a string cut short': [0x00, 0x05, 0x61],
    'Huffman padding that is too long': [0x00, 0x82, 0x1f, 0xff, 0x01, 0x61],
    'EOS in a string': [0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x01, 0x61],
    'a table larger than allowed': [0x3f, 0xe1, 0xff, 0x03],
    'a table size behind a field': [0x82, 0x20],
  }
  for (const [what, bytes] of Object.entries(blocks)) {
    const client = await RawH2.connect(proxy.port())
    client.frame(TYPE.headers, END_HEADERS | END_STREAM, 1, Buffer.from(bytes))
    assert.equal(await client.gone(), CODE.compression, what)
    await client.end()
  }
  let seed = 7
  const random = (): number => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 1) / 2 ** 31
  for (let i = 0; i < 200; i++) {
    const client = await RawH2.connect(proxy.port())
    const noise = Buffer.from(
      Array.from({ length: 1 + Math.floor(random() * 60) }, () => Math.floor(random() * 256)),
    )
    client.frame(TYPE.headers, END_HEADERS | END_STREAM, 1, noise)
    await client.until('an end', () => client.closed || client.answer(1).reset >= 0 || client.answer(1).ended)
    client.destroy()
  }
  await proxy.serves()
})
