import type { HeaderList } from '../exchange/headers.ts'
import type { ResponseHead } from './message.ts'

const DIGITS = /^[0-9]{1,16}$/

/**
 * What the fields of a head say about its body and its connection, gathered in one pass over them. One object serves all
 * heads of a side, one after another: it holds nothing between two of them.
 */
export class FramingFields {
  /** The length named, or -1 where there is none. */
  length = -1
  chunked = false
  /** What is wrong with the framing fields, fit for a peer, or null. */
  fault: string | null = null
  hosts = 0
  host = ''
  /** Members of `connection`, as far as framing and reuse need them. */
  close = false
  keepAlive = false
  namesUpgrade = false
  upgrade: string | null = null
  expect: string | null = null
  /** The value of the field `keep-alive`. */
  hint: string | null = null

  /** Reads the fields of one head, in place of what was read before. */
  read(headers: HeaderList): void {
    this.length = -1
    this.chunked = false
    this.fault = null
    this.hosts = 0
    this.host = ''
    this.close = false
    this.keepAlive = false
    this.namesUpgrade = false
    this.upgrade = null
    this.expect = null
    this.hint = null
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string
      switch (name.length) {
        case 4:
          if (name === 'host') {
            this.hosts++
            this.host = headers[i + 1] as string
          }
          break
        case 6:
          if (name === 'expect') this.expect = append(this.expect, headers[i + 1] as string)
          break
        case 7:
          if (name === 'upgrade') this.upgrade = append(this.upgrade, headers[i + 1] as string)
          break
        case 10:
          if (name === 'connection') this.#connection(headers[i + 1] as string)
          else if (name === 'keep-alive') this.hint = headers[i + 1] as string
          break
        case 14:
          if (name === 'content-length') this.#length(headers[i + 1] as string)
          break
        case 17:
          if (name === 'transfer-encoding') this.#coding(headers[i + 1] as string)
          break
        default:
      }
    }
    if (this.chunked && this.length >= 0)
      this.fault ??= 'content-length and transfer-encoding exclude each other'
  }

  #connection(value: string): void {
    if (value === 'keep-alive') this.keepAlive = true
    else if (value === 'close') this.close = true
    else {
      for (const part of value.split(',')) {
        const member = part.trim().toLowerCase()
        if (member === 'close') this.close = true
        else if (member === 'keep-alive') this.keepAlive = true
        else if (member === 'upgrade') this.namesUpgrade = true
      }
    }
  }

  #length(value: string): void {
    if (this.length >= 0) this.fault ??= 'there is more than one content-length'
    // Sixteen digits may still be more than a number holds exactly.
    const length = DIGITS.test(value) ? Number(value) : Infinity
    if (length > Number.MAX_SAFE_INTEGER) this.fault ??= 'the content-length is not a valid number'
    else this.length = length
  }

  #coding(value: string): void {
    if (this.chunked || (value !== 'chunked' && value.toLowerCase() !== 'chunked')) {
      this.fault ??= 'the only transfer-encoding understood is chunked, once'
    }
    this.chunked = true
  }
}

function append(list: string | null, value: string): string {
  return list === null ? value : `${list},${value}`
}

/** Whether more bytes than the response's own lie in the read that brought its head. */
export function surplus(framing: ResponseHead['framing'], bytes: number): boolean {
  if (framing === 'none') return bytes > 0
  return typeof framing === 'number' && bytes > framing
}

/** The length that a response without a body states: of a HEAD, what a GET would have had. */
export function declaredLength(head: ResponseHead): number | 'none' {
  for (let i = 0; i < head.headers.length; i += 2) {
    if (head.headers[i] === 'content-length') return Number(head.headers[i + 1])
  }
  return 'none'
}
