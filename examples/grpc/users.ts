// The users service, over gRPC: one method of each kind. In memory; run by start.ts.
import path from 'node:path'
import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { type Imported, type User, type UserId, USERS } from './contract.ts'

/** Between two changes that `Watch` tells. */
const CHANGE_MS = 500

const users = new Map(
  ['Ada Byron', 'Grace Murray', 'Edsger Wybe'].map((name, at): [string, User] => {
    const id = String(at + 1)
    return [id, { id, name, picture: Buffer.alloc(0) }]
  }),
)
const noUser = (id: string): Partial<grpc.StatusObject> => ({
  code: grpc.status.NOT_FOUND,
  details: `no user ${id}`,
})

const server = new grpc.Server()
server.addService(USERS, {
  Get({ request: { id } }: grpc.ServerUnaryCall<UserId, User>, done: grpc.sendUnaryData<User>) {
    const user = users.get(id)
    if (user === undefined) done(noUser(id))
    else done(null, user)
  },
  Watch(call: grpc.ServerWritableStream<UserId, User>) {
    const user = users.get(call.request.id)
    if (user === undefined) return call.emit('error', noUser(call.request.id))
    let changes = 0
    call.write(user)
    const timer = setInterval(() => {
      call.write({ ...user, name: `${user.name} ${'I'.repeat(++changes + 1)}` })
      if (changes < 2) return
      clearInterval(timer)
      call.end()
    }, CHANGE_MS)
    // A client that goes away is heard of here, through edge and sidecars.
    call.on('cancelled', () => clearInterval(timer))
    return undefined
  },
  Import(call: grpc.ServerReadableStream<User, Imported>, done: grpc.sendUnaryData<Imported>) {
    let count = 0
    call.on('data', (user: User) => {
      users.set(user.id, user)
      count++
    })
    call.on('end', () => done(null, { users: count }))
  },
  Look(call: grpc.ServerDuplexStream<UserId, User>) {
    call.on('data', ({ id }: UserId) =>
      call.write(users.get(id) ?? { id, name: '', picture: Buffer.alloc(0) }),
    )
    call.on('end', () => call.end())
  },
})

const health = loadSync(path.join(import.meta.dirname, 'health.proto'), { enums: String })
server.addService(health['grpc.health.v1.Health'] as grpc.ServiceDefinition, {
  // The loader types a service as whatever a file may hold.
  Check: (_call: unknown, done: grpc.sendUnaryData<{ status: string }>) => done(null, { status: 'SERVING' }),
})

const port = Number(process.env['USERS_PORT'] ?? 8012)
server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), error => {
  if (error !== null) throw error
  console.log(`listening on ${port}`)
})
// What is under way may end.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => server.tryShutdown(() => process.exit(0)))
