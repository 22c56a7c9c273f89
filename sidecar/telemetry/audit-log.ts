import type { Exchange } from '../exchange/exchange.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { BufferedWriter } from './buffered-writer.ts'
import { boundedText, jsonString, Timestamps, wireJson } from './log-text.ts'

/** What is written of the decisions of authorization, and where. */
export interface AuditSettings {
  readonly service: string
  /** How many of the allowed requests are written, 0 to 100; those that are refused all are. */
  readonly percent: number
  /** `stdout`, `stderr` or the absolute name of a file. */
  readonly to: string
}

/**
 * One line a decision of authorization and a refusal of authentication, as JSON: who asked for what, which rule said what, under which configuration.
 * No header and no query is read, so that no credential can get in.
 */
export class AuditLog {
  readonly #open: (to: string) => BufferedWriter
  readonly #clock: Clock
  readonly #random: Random
  readonly #times = new Timestamps()
  #settings: AuditSettings | null = null
  #writer: BufferedWriter | null = null
  #lost = 0

  /** @param open the writer to a place; throws where a file cannot be opened */
  constructor(open: (to: string) => BufferedWriter, clock: Clock, random: Random) {
    this.#open = open
    this.#clock = clock
    this.#random = random
  }

  /** Lines that were due and are written nowhere, since their file cannot be opened. */
  get lost(): number {
    return this.#lost
  }

  /**
   * Takes effect with the next line. Null: off.
   * @returns why its file cannot be opened, or null
   */
  configure(settings: AuditSettings | null): Error | null {
    const before = this.#settings?.to
    this.#settings = settings
    if (settings === null) this.#writer = null
    else if (this.#writer === null || settings.to !== before) return this.reopen()
    return null
  }

  /**
   * Finds its file again, by its name: another program may have moved the one that was open.
   * @returns why it cannot be opened, or null
   */
  reopen(): Error | null {
    if (this.#settings === null) return null
    try {
      this.#writer = this.#open(this.#settings.to)
      return null
    } catch (error) {
      this.#writer = null
      return error instanceof Error ? error : new Error(String(error))
    }
  }

  /** @param config the hash of the configuration that decided */
  write(exchange: Exchange, config: string): void {
    const { decision } = exchange
    const settings = this.#settings
    if (settings === null || decision === null) return
    const { percent } = settings
    if (decision.decision === 'allow' && percent < 100 && this.#random() * 100 >= percent) return
    if (this.#writer === null) this.#lost++
    else this.#writer.write(this.#line(exchange, settings.service, config))
  }

  #line(exchange: Exchange, service: string, config: string): string {
    const { decision, caller, peer, request } = exchange
    let line = `{"time":"${this.#times.format(this.#clock.wall())}","event":"${decision?.event ?? 'authorization'}"`
    line += `,"decision":"${decision?.decision ?? ''}","rule":${jsonString(decision?.rule ?? '')}`
    if (decision !== null && decision.unmet !== '') line += `,"unmet":${jsonString(decision.unmet)}`
    // It says what was wrong with a credential, never the credential.
    if (decision?.event !== undefined && exchange.cause !== '')
      line += `,"cause":${jsonString(boundedText(exchange.cause))}`
    line += `,"config":"${config}","request_id":${wireJson(exchange.requestId)}`
    line += `,"service":${jsonString(service)}`
    if (caller !== null) {
      line += `,"consumer":${jsonString(boundedText(caller.name))}`
      line += `,"auth":"${caller.method}","provider":${jsonString(caller.provider)}`
    }
    if (peer.identity !== null) {
      line += `,"peer_spiffe":${jsonString(peer.identity.spiffe)}`
      line += `,"peer_certificate":"${peer.identity.fingerprint}"`
    }
    line += `,"client":${wireJson(exchange.clientAddress)},"method":${wireJson(exchange.method)}`
    line += `,"host":${wireJson(request?.host ?? '')},"path":${wireJson(request?.path ?? '')}`
    line += `,"listener":${jsonString(exchange.listener)},"route":${jsonString(exchange.route)}`
    line += `,"status":${exchange.status}`
    if (exchange.reason !== '') line += `,"reason":${jsonString(exchange.reason)}`
    return line + '}\n'
  }
}
