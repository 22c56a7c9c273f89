import { AdminServer } from '../admin/admin-server.ts'
import type { Control } from '../admin/control.ts'
import type { ResolvedAdmin } from '../config/resolved.ts'
import type { Address } from '../exchange/address.ts'
import type { Log } from '../telemetry/process-log.ts'
import { addressLabel } from '../upstream/endpoint.ts'

/** One address that answers, and how it is guarded, which a reload may change. */
interface AdminListener {
  readonly server: AdminServer
  readonly guard: { probes: boolean; token: string | null }
  readonly bound: Address
}

/** What a configuration says about one address. */
interface Wanted {
  readonly key: string
  readonly address: Address
  readonly probes: boolean
  readonly token: string | null
}

/** Addresses that are bound for a configuration and wait for its swap. */
export interface OpenedAdmin {
  /** They stay; those that are gone close. @returns where the admin endpoints are */
  commit(): string
  /** The configuration was given up: they close. */
  undo(): void
}

/** The admin addresses of a process: what a reload keeps, opens and closes. */
export class AdminListeners {
  readonly #control: Control
  readonly #log: Log
  #open = new Map<string, AdminListener>()

  constructor(control: Control, log: Log) {
    this.#control = control
    this.#log = log
  }

  /**
   * Binds what a configuration adds, before it is swapped in.
   * @returns what was bound, or one line that says why an address cannot be
   */
  async open(admin: ResolvedAdmin): Promise<OpenedAdmin | string> {
    const wanted = addresses(admin)
    const opened = new Map<string, AdminListener>()
    const undo = (): void => {
      for (const { server } of opened.values()) void server.close()
    }
    for (const { key, address, probes, token } of wanted) {
      if (this.#open.has(key)) continue
      const guard = { probes, token }
      const server = new AdminServer(this.#control, this.#log)
      const bound = await server.listen(address, guard).catch((error: unknown) => String(error))
      if (typeof bound === 'string') {
        undo()
        return bound
      }
      opened.set(key, { server, guard, bound })
    }
    return { commit: () => this.#commit(wanted, opened), undo }
  }

  /** Closes all. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map(({ server }) => server.close()))
  }

  #commit(wanted: readonly Wanted[], opened: ReadonlyMap<string, AdminListener>): string {
    const before = this.#open
    this.#open = new Map()
    let where = ''
    for (const { key, probes, token } of wanted) {
      const listener = opened.get(key) ?? before.get(key)
      if (listener === undefined) continue
      // Read at each request: a new token holds from the next one on.
      Object.assign(listener.guard, { probes, token })
      this.#open.set(key, listener)
      if (!probes) where = addressLabel(listener.bound)
    }
    // Whoever asked for the reload over such an address still gets its answer.
    for (const [key, { server }] of before) if (!this.#open.has(key)) void server.close()
    return where
  }
}

function addresses({ address, probes, token }: ResolvedAdmin): Wanted[] {
  const wanted = [{ key: keyOf(address, 'admin'), address, probes: false, token }]
  if (probes !== null)
    wanted.push({ key: keyOf(probes, 'probes'), address: probes, probes: true, token: null })
  return wanted
}

/** Any free port is another one for each that asks. */
function keyOf(address: Address, kind: string): string {
  const label = addressLabel(address)
  return address.kind === 'tcp' && address.port === 0 ? `${label} ${kind}` : label
}
