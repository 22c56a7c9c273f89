import { readFileSync } from 'node:fs'

/** A case of requests.json: see corpus/README.md. */
export interface RequestCase {
  readonly row: number
  readonly name: string
  readonly bytes: string
  readonly want: string
}

/** A case of responses.json. */
export interface ResponseCase {
  readonly name: string
  readonly method: string
  readonly bytes: string
  readonly want: string
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`./corpus/${name}`, import.meta.url), 'utf8'))
}

// The files are ours and beside this one; a case that has another shape fails its test.
export const REQUEST_CASES = read('requests.json') as readonly RequestCase[]
export const RESPONSE_CASES = read('responses.json') as readonly ResponseCase[]
