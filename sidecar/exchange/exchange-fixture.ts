import { NO_BODY } from './body.ts'
import { type Caller, NO_CLAIMS } from './caller.ts'
import { Exchange, type Responder } from './exchange.ts'

const NOBODY: Responder = { inform() {}, respond() {}, limitBody() {}, acceptConnect() {}, abort() {} }

/** An exchange for unit tests that look at requests and need no connection: a GET without body from 192.0.2.9. */
export function exchangeFixture(head: Partial<ConstructorParameters<typeof Exchange>[0]> = {}): Exchange {
  return new Exchange({
    method: 'GET',
    target: '/',
    version: 'HTTP/1.1',
    headers: [],
    body: NO_BODY,
    tunnel: null,
    expectsContinue: false,
    connectHost: null,
    peer: {
      address: '192.0.2.9',
      port: 1,
      encrypted: false,
      serverName: '',
      identity: null,
      local: { address: '', port: 0 },
    },
    responder: NOBODY,
    entry: '',
    startedAt: 0,
    ...head,
  })
}

/** A caller for unit tests: an entry that brought a key. */
export function callerFixture(some: Partial<Caller> = {}): Caller {
  return {
    name: 'partner',
    known: true,
    groups: [],
    plan: null,
    method: 'apiKey',
    provider: 'clients',
    scopes: [],
    claims: NO_CLAIMS,
    expiresAt: null,
    ...some,
  }
}
