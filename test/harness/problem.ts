import assert from 'node:assert/strict'
import type { WireResponse } from './strict-http.ts'

/** The reason that an answer of Outrigger's own names, after checking that it is problem+json (RFC 9457) with its status. */
export function reasonOf(response: WireResponse): string {
  assert.equal(response.headers['content-type'], 'application/problem+json', response.body.toString())
  const problem: unknown = JSON.parse(response.body.toString())
  assert.ok(typeof problem === 'object' && problem !== null && 'reason' in problem && 'status' in problem)
  assert.equal(problem.status, response.status)
  assert.ok(typeof problem.reason === 'string')
  return problem.reason
}
