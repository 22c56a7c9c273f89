// A client for the shell.
//   node examples/grpc/call.ts get 1
//   node examples/grpc/call.ts watch 1
//   node examples/grpc/call.ts import Ada Grace
//   node examples/grpc/call.ts look 1 2 3
// --port 8000: whom to ask; --host users: for whom it is; --deadline 2000: milliseconds.
// Exit codes: 0 the call went well, 1 it ended with another status, 2 usage.
import { parseArgs } from 'node:util'
import * as grpc from '@grpc/grpc-js'
import { channelTo, getUser } from './client.ts'
import { type User, USERS } from './contract.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '8000' },
    host: { type: 'string' },
    deadline: { type: 'string', default: '10000' },
  },
})
const [method = '', ...rest] = positionals
const channel = channelTo(Number(values.port), values.host)
const options = { deadline: Date.now() + Number(values.deadline) }

const METHODS: Readonly<Record<string, () => Promise<void>>> = {
  async get() {
    show(await getUser(channel, rest[0] ?? '', options))
  },
  watch() {
    const { path, requestSerialize, responseDeserialize } = USERS.Watch
    const user = { id: rest[0] ?? '' }
    return shown(channel.makeServerStreamRequest(path, requestSerialize, responseDeserialize, user, options))
  },
  import() {
    const { path, requestSerialize, responseDeserialize } = USERS.Import
    return new Promise((resolve, reject) => {
      const call = channel.makeClientStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        new grpc.Metadata(),
        options,
        (error, answer) => {
          if (error !== null) return reject(error)
          console.log(`imported ${answer?.users ?? 0}`)
          resolve()
        },
      )
      for (const name of rest) call.write({ id: name.toLowerCase(), name, picture: Buffer.alloc(0) })
      call.end()
    })
  },
  look() {
    const { path, requestSerialize, responseDeserialize } = USERS.Look
    const call = channel.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, options)
    for (const id of rest) call.write({ id })
    call.end()
    return shown(call)
  },
}

const call = METHODS[method]
if (call === undefined || rest.length === 0) {
  console.error(
    'usage: node examples/grpc/call.ts get|watch|import|look WHAT... [--port 8000] [--host users]',
  )
  process.exit(2)
}
try {
  await call()
} catch (error) {
  // Such as `5 NOT_FOUND: no user 9`.
  console.log(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
channel.close()

function show({ id, name }: User): void {
  console.log(`${id} ${name}`)
}

function shown(stream: grpc.ClientReadableStream<User> | grpc.ClientDuplexStream<unknown, User>) {
  return new Promise<void>((resolve, reject) => {
    stream.on('data', show).on('end', resolve).on('error', reject)
  })
}
