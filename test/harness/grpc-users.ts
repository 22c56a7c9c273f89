import * as grpc from '@grpc/grpc-js'
import { type Imported, type User, type UserId, USERS } from '../../examples/grpc/contract.ts'

/** What a test may have the server do beside what the proto says. */
export interface Behaviour {
  get?: (call: grpc.ServerUnaryCall<UserId, User>, done: grpc.sendUnaryData<User>) => void
  watch?: (call: grpc.ServerWritableStream<UserId, User>) => void
  import?: (call: grpc.ServerReadableStream<User, Imported>, done: grpc.sendUnaryData<Imported>) => void
  look?: (call: grpc.ServerDuplexStream<UserId, User>) => void
}

/** A user whose picture has so many bytes. */
export function user(id: string, bytes = 0): User {
  return { id, name: `user ${id}`, picture: Buffer.alloc(bytes, 7) }
}

/** A real gRPC server of `examples/grpc/users.proto`. */
export class UsersServer {
  readonly port: number
  /** How many calls came in, by method. */
  readonly calls: Record<string, number>
  readonly #server: grpc.Server

  private constructor(server: grpc.Server, port: number, calls: Record<string, number>) {
    this.#server = server
    this.port = port
    this.calls = calls
  }

  static async start(behaviour: Behaviour = {}, options: grpc.ServerOptions = {}): Promise<UsersServer> {
    const calls: Record<string, number> = {}
    const count = (name: string): void => {
      calls[name] = (calls[name] ?? 0) + 1
    }
    const server = new grpc.Server({ 'grpc.max_receive_message_length': -1, ...options })
    server.addService(USERS, {
      Get: (call: grpc.ServerUnaryCall<UserId, User>, done: grpc.sendUnaryData<User>) => {
        count('Get')
        if (behaviour.get === undefined) done(null, user(call.request.id))
        else behaviour.get(call, done)
      },
      Watch: (call: grpc.ServerWritableStream<UserId, User>) => {
        count('Watch')
        if (behaviour.watch !== undefined) return behaviour.watch(call)
        for (let i = 0; i < 3; i++) call.write(user(`${call.request.id}-${i}`))
        call.end()
      },
      Import: (call: grpc.ServerReadableStream<User, Imported>, done: grpc.sendUnaryData<Imported>) => {
        count('Import')
        if (behaviour.import !== undefined) return behaviour.import(call, done)
        let users = 0
        call.on('data', () => users++)
        call.on('end', () => done(null, { users }))
      },
      Look: (call: grpc.ServerDuplexStream<UserId, User>) => {
        count('Look')
        if (behaviour.look !== undefined) return behaviour.look(call)
        call.on('data', ({ id }: UserId) => call.write(user(id)))
        call.on('end', () => call.end())
      },
    })
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    )
    return new UsersServer(server, port, calls)
  }

  stop(): void {
    this.#server.forceShutdown()
  }

  /** Takes no more calls, and ends with the last one. */
  drain(): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#server.tryShutdown(error => (error === undefined ? resolve() : reject(error))),
    )
  }
}

/** A real gRPC client of it. */
export class UsersClient {
  readonly #client: grpc.Client

  /** @param ports of several it takes the next where one goes */
  constructor(ports: number | readonly number[], options: grpc.ClientOptions = {}) {
    const addresses = [ports].flat().map(port => `127.0.0.1:${port}`)
    this.#client = new grpc.Client(`ipv4:${addresses.join()}`, grpc.credentials.createInsecure(), {
      // Each client a connection of its own, as clients in processes of their own have.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': -1,
      'grpc.enable_http_proxy': 0,
      'grpc.enable_retries': 0,
      ...options,
    })
  }

  /** One call. @throws grpc.ServiceError where its status is not OK */
  get(id: string, options: grpc.CallOptions = {}, metadata = new grpc.Metadata()): Promise<User> {
    return new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = USERS.Get
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        { id },
        metadata,
        options,
        (error, value) =>
          error === null && value !== undefined ? resolve(value) : reject(error ?? new Error('no value')),
      )
    })
  }

  /** A call of `echo`, with what the head says under `x-head` and the trailers under `x-trailer`. */
  echo(metadata: grpc.Metadata): Promise<{ readonly head: string[]; readonly trailer: string[] }> {
    const { path, requestSerialize, responseDeserialize } = USERS.Get
    return new Promise(resolve => {
      let head: grpc.MetadataValue[] = []
      this.#client
        .makeUnaryRequest(path, requestSerialize, responseDeserialize, { id: 'echo' }, metadata, () => {})
        .on('metadata', (one: grpc.Metadata) => (head = one.get('x-head')))
        .on('status', ({ metadata: trailer }) =>
          resolve({ head: head.map(String), trailer: trailer.get('x-trailer').map(String) }),
        )
    })
  }

  watch(id: string, options: grpc.CallOptions = {}): grpc.ClientReadableStream<User> {
    const { path, requestSerialize, responseDeserialize } = USERS.Watch
    return this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { id }, options)
  }

  /** Sends users, and says how many arrived. */
  import(users: readonly User[]): Promise<Imported> {
    return new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = USERS.Import
      const call = this.#client.makeClientStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        (error, value) =>
          error === null && value !== undefined ? resolve(value) : reject(error ?? new Error('no value')),
      )
      for (const one of users) call.write(one)
      call.end()
    })
  }

  look(options: grpc.CallOptions = {}): grpc.ClientDuplexStream<UserId, User> {
    const { path, requestSerialize, responseDeserialize } = USERS.Look
    return this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, options)
  }

  close(): void {
    this.#client.close()
  }
}

/** Everything that a stream brings, and the status that it ended with. */
export async function collect(
  call: grpc.ClientReadableStream<User>,
): Promise<{ readonly users: readonly User[]; readonly status: grpc.StatusObject }> {
  const users: User[] = []
  call.on('data', (one: User) => users.push(one))
  // Said by `status` as well.
  call.on('error', () => {})
  const status = await new Promise<grpc.StatusObject>(resolve => call.on('status', resolve))
  return { users, status }
}
