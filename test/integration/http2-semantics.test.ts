import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { InProcess } from '../harness/in-process.ts'
import { CODE, frameBytes, literals, pseudo, RawH2, TYPE } from '../harness/raw-h2.ts'

// What RFC 9113 section 8 has a server refuse, in the order of the public h2spec list, over a socket. Each case names what
// is sent and which error must come; afterwards the same connection serves, where the error is one of the stream.

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

/** The pseudo fields of a GET without one of them, or with another value. */
function but(name: string, value: string | null): string[] {
  const fields = pseudo('GET', '/')
  const at = fields.indexOf(name)
  if (value === null) fields.splice(at, 2)
  else fields[at + 1] = value
  return fields
}

const get = pseudo('GET', '/')
const post = pseudo('POST', '/')

/** Sends a request. @returns the stream */
const ask =
  (fields: string[]) =>
  (client: RawH2): number =>
    client.request(fields)

const ofStream: Record<string, (client: RawH2) => number> = {
  '8.1: a second header block that does not end the stream': client => {
    const id = client.request(post, false)
    client.frame(TYPE.headers, 4, id, literals(['x', 'y']))
    return id
  },
  '8.2.1: a field name in upper case': ask([...get, 'X-TEST', 'ok']),
  '8.2.1: a value that begins with a space': ask([...get, 'x-test', ' ok']),
  '8.2.1: a value that ends with a tab': ask([...get, 'x-test', 'ok\t']),
  '8.2.1: a name with a character beyond ASCII': ask([...get, 'x-\xe4', 'ok']),
  '8.3: an unknown pseudo field': ask([...get, ':test', 'ok']),
  '8.3: the pseudo field of a response': ask([...get, ':status', '200']),
  '8.3: a pseudo field as a trailer': client => {
    const id = client.request(post, false)
    client.data(id, 'test')
    client.trailers(id, [':method', '200'])
    return id
  },
  '8.3: a pseudo field behind a field': ask(['x-test', 'ok', ...get]),
  '8.2.2: a field of a connection': ask([...get, 'connection', 'keep-alive']),
  '8.2.2: te with another value than trailers': ask([...get, 'te', 'trailers, deflate']),
  '8.3.1: an empty :path': ask(but(':path', '')),
  '8.3.1: no :method': ask(but(':method', null)),
  '8.3.1: no :scheme': ask(but(':scheme', null)),
  '8.3.1: no :path': ask(but(':path', null)),
  '8.3.1: two :method': ask([':method', 'GET', ...get]),
  '8.3.1: two :scheme': ask([':scheme', 'http', ...get]),
  '8.3.1: two :path': ask([':path', '/', ...get]),
  '8.1.1: a content-length that is not the length of DATA': client => {
    const id = client.request([...post, 'content-length', '1'], false)
    client.data(id, 'test', true)
    return id
  },
  '8.1.1: a content-length that is not the sum of several DATA': client => {
    const id = client.request([...post, 'content-length', '1'], false)
    client.data(id, 'test')
    client.data(id, 'test', true)
    return id
  },
  '8.1.1: a content-length without a body': ask([...post, 'content-length', '1']),
  '8.1.1: a content-length that trailers cut short': client => {
    const id = client.request([...post, 'content-length', '5'], false)
    client.data(id, 'four')
    client.trailers(id, ['x-test', 'ok'])
    return id
  },
  '8.5: a CONNECT with a :path': ask([':method', 'CONNECT', ':path', '/', ':authority', 'a.example:443']),
}

describe('stream errors PROTOCOL_ERROR', () => {
  for (const [what, send] of Object.entries(ofStream)) {
    test(what, async () => {
      const client = await RawH2.connect(proxy.port())
      const { reset, status } = await client.over(send(client))
      assert.equal(reset, CODE.protocol)
      assert.equal(status, 0)
      assert.equal((await client.over(client.get('/here'))).status, 200)
      client.destroy()
    })
  }
})

test('8.4: a client that pushes ends the connection with PROTOCOL_ERROR', async () => {
  const client = await RawH2.connect(proxy.port())
  const id = client.request(post, false)
  const promised = Buffer.concat([Buffer.from([0, 0, 0, 3]), literals(get)])
  client.send(frameBytes(TYPE.push, 4, id, promised))
  assert.equal(await client.gone(), CODE.protocol)
  client.destroy()
})

describe('what section 8 allows is served', () => {
  const allowed: Record<string, string[]> = {
    'te: trailers': [...get, 'te', 'trailers'],
    'a host that is the authority': [...get, 'host', 'a.example'],
    'a host alone': [...but(':authority', null), 'host', 'a.example'],
    'an empty value': [...get, 'x-test', ''],
    'bytes beyond ASCII in a value': [...get, 'x-test', '\xe4\xff'],
    'a cookie in pieces': [...get, 'cookie', 'a=1', 'cookie', 'b=2'],
    'another order of the pseudo fields': [
      ...[':authority', 'a.example', ':path', '/', ':scheme', 'https', ':method', 'GET'],
    ],
    'OPTIONS of the whole server': pseudo('OPTIONS', '*'),
  }
  for (const [what, fields] of Object.entries(allowed))
    test(what, async () => {
      const client = await RawH2.connect(proxy.port())
      assert.equal((await client.over(client.request(fields))).status, 200)
      client.destroy()
    })
})
