// Row 53: none of the invalid signatures of Wycheproof is accepted, and every valid one that our algorithms cover is. The
// payloads are no claims, so a signature that holds is told from one that does not by what is said of the token.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ProxyError } from '../../sidecar/exchange/proxy-error.ts'
import {
  authenticates,
  identityFixture,
  jwtFixture,
} from '../../sidecar/filters/authenticate/identity-fixture.ts'
import type { JwtProvider } from '../../sidecar/filters/authenticate/schema.ts'

interface Group {
  readonly comment: string
  readonly private: Readonly<Record<string, string>>
  readonly public?: Readonly<Record<string, string>>
  readonly tests: readonly {
    readonly tcId: number
    readonly jws: unknown
    readonly result: string
    readonly comment: string
  }[]
}

const file = new URL('../vectors/wycheproof/json_web_signature_test.json', import.meta.url)
// Its form is checked by what is counted at the end.
const groups = (JSON.parse(readFileSync(file, 'utf8')) as { testGroups: Group[] }).testGroups

const ALGORITHMS = {
  secret: ['HS256', 'HS384', 'HS512'],
  set: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'],
}

/** A shared key is bytes there and text here: it is taken as the bytes that it is. */
function providerOf({ public: key, private: secret }: Group): JwtProvider {
  if (key === undefined) {
    const bytes = Buffer.from(secret['k'] ?? '', 'base64url')
    return jwtFixture({ keys: { kind: 'secret', secret: bytes }, algorithms: [secret['alg'] ?? 'HS256'] })
  }
  return jwtFixture({ keys: { kind: 'set', keys: [key] }, algorithms: ALGORITHMS.set, chosen: true })
}

/** The same token stands in the file as valid: what its comment says of padding got lost when the vectors were made. */
const SAME_AS_VALID = [367, 370]
/**
 * Valid there and refused here, on purpose: an empty payload can be no claims; a key that says PS256 verifies nothing else,
 * and a curve that it is for one algorithm only; characters outside of base64url.
 */
const STRICTER = [/emptyPayload/i, /^Figure2[07]$/, /^InvalidCharacterInserted/]

test('Wycheproof: no invalid signature is accepted, and the valid ones are', async () => {
  const valid = new Set<unknown>()
  let invalid = 0
  for (const group of groups) {
    const spec = identityFixture({ jwt: { main: providerOf(group) } })
    const ask = await authenticates(spec, { ways: [{ kind: 'jwt', name: 'main' }] })
    for (const { tcId, jws, result, comment } of group.tests) {
      const token = typeof jws === 'string' ? jws : JSON.stringify(jws)
      const { verdict, exchange } = await ask(['authorization', `Bearer ${token}`])
      assert.ok(verdict instanceof ProxyError, String(tcId))
      assert.equal(exchange.caller, null)
      const holds = verdict.cause === 'the claims are no JSON object'
      if (result === 'valid') valid.add(jws)
      const expected =
        result === 'valid'
          ? !STRICTER.some(one => one.test(comment))
          : SAME_AS_VALID.includes(tcId) && valid.has(jws)
      assert.equal(holds, expected, `${tcId} ${group.comment}: ${comment}: ${verdict.cause}`)
      if (result === 'invalid') invalid++
    }
  }
  assert.equal(invalid, 355)
})
