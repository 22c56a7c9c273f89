import assert from 'node:assert/strict'
import net from 'node:net'
import { once } from 'node:events'
import { test } from 'node:test'
import tls from 'node:tls'
import fc from 'fast-check'
import { HELLO_MOST, serverNameOf } from './client-hello.ts'

const PARTIAL = { partial: true }

/** A number in so many bytes. */
function number(value: number, size: number): Buffer {
  const bytes = Buffer.alloc(size)
  bytes.writeUIntBE(value, 0, size)
  return bytes
}
const sized = (bytes: Buffer, size: number): Buffer => Buffer.concat([number(bytes.length, size), bytes])
const extension = (type: number, content: Buffer): Buffer =>
  Buffer.concat([number(type, 2), sized(content, 2)])
const nameExtension = (name: string, type = 0): Buffer =>
  extension(0, sized(Buffer.concat([number(type, 1), sized(Buffer.from(name, 'latin1'), 2)]), 2))

/** The handshake message of a hello. */
function hello(extensions: Buffer | null, type = 1): Buffer {
  const body = Buffer.concat([
    hexOf('0303'),
    Buffer.alloc(32, 7),
    sized(Buffer.alloc(32, 9), 1),
    sized(hexOf('130113021303'), 2),
    sized(hexOf('00'), 1),
    extensions === null ? Buffer.alloc(0) : sized(extensions, 2),
  ])
  return Buffer.concat([number(type, 1), sized(body, 3)])
}
const hexOf = (text: string): Buffer => Buffer.from(text, 'hex')

/** In records of so many bytes. */
function records(message: Buffer, size = 16_384): Buffer {
  const all: Buffer[] = []
  for (let at = 0; at < message.length; at += size)
    all.push(hexOf('160301'), sized(message.subarray(at, at + size), 2))
  return Buffer.concat(all)
}

/** What Node’s own client sends first. */
async function helloOfNode(options: tls.ConnectionOptions): Promise<Buffer> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo // it listens on TCP
  const accepted = once(server, 'connection')
  const client = tls.connect({ port, host: '127.0.0.1', ...options })
  client.on('error', () => {})
  const [socket] = (await accepted) as [net.Socket] // what the event carries
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  client.destroy()
  socket.destroy()
  server.close()
  return bytes
}

test('the name in the hello of a real client, at every cut, and in records of every size', async () => {
  for (const options of [{}, { maxVersion: 'TLSv1.2' }, { ALPNProtocols: ['h2', 'x'] }] as const) {
    const bytes = await helloOfNode({ servername: 'Db.Shop.example', ...options })
    assert.equal(serverNameOf(bytes), 'db.shop.example')
    for (let cut = 0; cut < bytes.length; cut++)
      assert.deepEqual(serverNameOf(bytes.subarray(0, cut)), PARTIAL, `${cut}`)
    const message = bytes.subarray(5)
    for (const size of [1, 2, 3, 4, 5, 37, message.length - 1])
      assert.equal(serverNameOf(records(message, size)), 'db.shop.example')
  }
  assert.equal(serverNameOf(await helloOfNode({ servername: '' })), '')
})

test('no extension of a name, no extensions at all', () => {
  assert.equal(serverNameOf(records(hello(Buffer.alloc(0)))), '')
  assert.equal(serverNameOf(records(hello(extension(43, hexOf('020304'))))), '')
  assert.equal(serverNameOf(records(hello(null))), '')
  assert.equal(serverNameOf(records(hello(nameExtension('a.example.')))), 'a.example')
})

for (const [what, bytes] of [
  ['plain text', Buffer.from('GET / HTTP/1.1\r\n')],
  ['SSH', Buffer.from('SSH-2.0-x\r\n')],
  ['an alert', hexOf('15030100020100')],
  ['another handshake message', records(hello(nameExtension('a.example'), 2))],
  ['a record of no length', hexOf('1603010000')],
  ['a record too long', hexOf('160301ffff')],
  ['version 2 of SSL', hexOf('160201002f')],
  [
    'two name extensions',
    records(hello(Buffer.concat([nameExtension('a.example'), nameExtension('b.example')]))),
  ],
  ['a name of another type', records(hello(nameExtension('a.example', 1)))],
  ['an empty name', records(hello(nameExtension('')))],
  ['a zero in the name', records(hello(nameExtension('a.example\0.b')))],
  ['a name that is no name', records(hello(nameExtension('a..example')))],
  ['a name too long', records(hello(nameExtension('a.'.repeat(130))))],
  ['an extension cut off', records(hello(hexOf('0000000900')))],
  [
    'bytes behind the extensions',
    records(
      Buffer.concat([
        hello(Buffer.alloc(0)).subarray(0, 1),
        sized(Buffer.concat([hello(Buffer.alloc(0)).subarray(4), hexOf('00')]), 3),
      ]),
    ),
  ],
  [
    'a hello longer than what is looked at',
    records(Buffer.concat([hexOf('01'), number(HELLO_MOST, 3), Buffer.alloc(100)])),
  ],
] as const)
  test(`nothing to go by: ${what}`, () => assert.equal(serverNameOf(bytes), null))

test('what never ends is given up at 16 KiB', () => {
  // A record that says it is long, of a message that says so too.
  const start = Buffer.concat([hexOf('1603014000'), hexOf('01003ffc'), Buffer.alloc(HELLO_MOST)])
  assert.deepEqual(serverNameOf(start.subarray(0, HELLO_MOST - 1)), PARTIAL)
  assert.equal(serverNameOf(start.subarray(0, HELLO_MOST)), null)
})

test('whatever comes, nothing is thrown; one byte that differs is another name or none', () => {
  const good = records(hello(nameExtension('db.shop.example')))
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, value, cut) => {
      const bytes = Buffer.from(good)
      bytes[at] = value
      const found = serverNameOf(bytes.subarray(0, cut))
      if (typeof found === 'string') assert.match(found, /^[a-z0-9_.-]{0,253}$/)
    }),
    { numRuns: 3000 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), rest => {
      serverNameOf(Buffer.concat([hexOf('1603'), rest]))
    }),
    { numRuns: 2000 },
  )
})
