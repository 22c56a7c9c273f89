import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import * as grpc from '@grpc/grpc-js'
import { collect, user, type UsersClient } from '../harness/grpc-users.ts'

/** What came of many calls. */
export interface CallsOutcome {
  readonly ok: number
  /** Why calls failed, with how often. */
  readonly failed: Readonly<Record<string, number>>
}

/** The four kinds of calls, each of which has to bring exactly what was asked for. */
const KINDS: readonly ((client: UsersClient, id: string) => Promise<void>)[] = [
  async (client, id) => assert.equal((await client.get(id)).name, `user ${id}`),
  async (client, id) => {
    const { users, status } = await collect(client.watch(id))
    if (status.code !== grpc.status.OK) throw new Error(`${status.code} ${status.details}`)
    assert.deepEqual(
      users.map(one => one.id),
      [0, 1, 2].map(at => `${id}-${at}`),
    )
  },
  async (client, id) =>
    assert.deepEqual(await client.import([user(id), user(id, 2000), user(id)]), { users: 3 }),
  async (client, id) => {
    const call = client.look()
    // Said by whatever waits for the call.
    call.on('error', () => {})
    const ended = new Promise<grpc.StatusObject>(resolve => call.on('status', resolve))
    for (const part of [`${id}-a`, `${id}-b`]) {
      call.write({ id: part })
      const [answer] = (await once(call, 'data')) as [{ id: string }] // `once` does not know of it
      assert.equal(answer.id, part)
    }
    call.end()
    assert.equal((await ended).code, grpc.status.OK)
  },
]

/**
 * Makes calls of all four kinds, in turn, over the clients, in turn, until it is told to stop.
 * @param concurrency how many are under way at one time
 * @param spacing milliseconds that each of them waits before the next one
 */
export class ManyCalls {
  readonly #clients: readonly UsersClient[]
  readonly #failed: Record<string, number> = {}
  readonly #over: Promise<unknown>
  #begun = 0
  #ok = 0
  readonly #spacing: number
  #most = Infinity

  constructor(clients: readonly UsersClient[], concurrency: number, spacing = 0) {
    this.#clients = clients
    this.#spacing = spacing
    this.#over = Promise.all(Array.from({ length: concurrency }, () => this.#work()))
  }

  get begun(): number {
    return this.#begun
  }

  /** Begins no more, and waits for those under way. */
  async stop(): Promise<CallsOutcome> {
    this.#most = this.#begun
    await this.#over
    return { ok: this.#ok, failed: this.#failed }
  }

  async #work(): Promise<void> {
    while (this.#begun < this.#most) {
      const number = this.#begun++
      const client = this.#clients[number % this.#clients.length] as UsersClient // the index is within
      // A kind and a client for each number, and every kind over every client.
      const kind = Math.floor(number / this.#clients.length) % KINDS.length
      try {
        await KINDS[kind]?.(client, String(number))
        this.#ok++
      } catch (error) {
        const what = `${kind}: ${error instanceof Error ? error.message.slice(0, 200) : String(error)}`
        this.#failed[what] = (this.#failed[what] ?? 0) + 1
      }
      if (this.#spacing > 0) await pause(this.#spacing)
    }
  }
}
