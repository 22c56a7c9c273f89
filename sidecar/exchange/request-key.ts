import { hash } from 'node:crypto'
import { acceptedVersion } from './accepted-version.ts'
import { claimText } from './caller.ts'
import { cookieValue } from './cookies.ts'
import type { Exchange } from './exchange.ts'
import { compileExpression } from './expression/expression.ts'
import { hash32 } from './hash32.ts'
import { queryValue } from './query.ts'

/**
 * What a thing is counted, split, pinned or hashed by: the words of `by`. `consumer` is the caller's name, and the
 * address while nobody is known; `group` the first of its groups.
 */
export type KeySource =
  | { readonly kind: 'consumer' }
  | { readonly kind: 'group' }
  | { readonly kind: 'address' }
  | { readonly kind: 'all' }
  | { readonly kind: 'path' }
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string }
  | { readonly kind: 'query'; readonly name: string }
  | { readonly kind: 'param'; readonly name: string }
  | { readonly kind: 'claim'; readonly name: string }
  /** What follows the vendor `name`, in lower case, in the media type that is asked for. */
  | { readonly kind: 'accept'; readonly name: string }
  /** `name` is the expression. */
  | { readonly kind: 'cel'; readonly name: string }

/** Reads the key of a request; null where the request does not have it. */
export type RequestKey = (exchange: Exchange) => string | null

/**
 * Compiles the words of `by`: the first that the request has decides, and null is none of them. An empty value (a header
 * without one) counts as not there, so that it does not put all who send it on one place. `all` is the empty key.
 *
 * @param sources header names in lower case
 */
export function compileRequestKey(sources: readonly KeySource[]): RequestKey {
  const keys = sources.map(compileSource)
  const [only] = keys
  if (keys.length === 1 && only !== undefined) return only
  return exchange => {
    for (const key of keys) {
      const value = key(exchange)
      if (value !== null) return value
    }
    return null
  }
}

/** A longer key is counted by its digest, so that a client cannot fill memory with its own text. */
const LONGEST_KEY = 64

/**
 * Compiles what a limit counts by: all the words together. Every request has such a key, so that none is counted nowhere:
 * one that lacks a word is counted by its address there. Values and addresses are kept apart, and so are the parts, so
 * that no value can be another one's key.
 *
 * @param sources header names in lower case
 */
export function compileCountingKey(sources: readonly KeySource[]): (exchange: Exchange) => string {
  const parts = sources.map(countingPart)
  const [only] = parts
  if (parts.length === 1 && only !== undefined) return exchange => bounded(only(exchange))
  return exchange => {
    let key = ''
    for (const part of parts) {
      const value = part(exchange)
      key += `${value.length}:${value}`
    }
    return bounded(key)
  }
}

function countingPart(source: KeySource): (exchange: Exchange) => string {
  switch (source.kind) {
    case 'all':
      return () => ''
    // A name begins with a letter or a digit.
    case 'consumer':
      return exchange => exchange.caller?.name ?? addressPart(exchange)
    case 'address':
      return addressPart
    default: {
      const key = compileSource(source)
      return exchange => {
        const value = key(exchange)
        return value === null ? addressPart(exchange) : `=${value}`
      }
    }
  }
}

function addressPart(exchange: Exchange): string {
  return `@${addressKey(exchange.clientAddress) ?? ''}`
}

function bounded(key: string): string {
  return key.length <= LONGEST_KEY ? key : `#${hash('sha256', key, 'base64url')}`
}

/**
 * Compiles what a balancer hashes by: 32 bits of the request's key, or -1 where it has none. Null where nothing is
 * hashed, so that nothing is asked for each request.
 */
export function compileRequestHash(sources: readonly KeySource[]): ((exchange: Exchange) => number) | null {
  if (sources.length === 0) return null
  const key = compileRequestKey(sources)
  return exchange => {
    const value = key(exchange)
    return value === null ? -1 : hash32(value)
  }
}

function compileSource(source: KeySource): RequestKey {
  switch (source.kind) {
    case 'all':
      return () => ''
    case 'consumer':
      return exchange => exchange.caller?.name ?? addressKey(exchange.clientAddress)
    case 'group':
      return exchange => exchange.caller?.groups[0] ?? null
    case 'claim':
      return exchange =>
        exchange.caller === null ? null : present(claimText(exchange.caller.claims, source.name))
    case 'cel': {
      const expression = compileExpression(source.name)
      return exchange => present(expression.text(exchange))
    }
    case 'address':
      return exchange => addressKey(exchange.clientAddress)
    case 'path':
      return exchange => exchange.request?.path ?? null
    case 'param':
      return exchange => present(exchange.params?.[source.name])
    case 'query':
      return exchange => present(queryValue(exchange.request?.query ?? '', source.name))
    case 'cookie':
      return exchange => present(cookieValue(exchange.headers, source.name))
    case 'accept':
      return exchange => acceptedVersion(exchange.headers, source.name)
    case 'header':
      return exchange => headerKey(exchange, source.name)
  }
}

/** All lines of the field, unless it is one that this client may not send, as one value (RFC 9110 section 5.3); nearly always there is one, which costs no copy. */
function headerKey(exchange: Exchange, name: string): string | null {
  const headers = exchange.heard ?? exchange.headers
  let value = ''
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== name) continue
    const line = headers[i + 1] as string
    value = value === '' ? line : `${value}, ${line}`
  }
  return present(value)
}

function present(value: string | null | undefined): string | null {
  return value === undefined || value === '' ? null : value
}

/**
 * An address as a key: IPv4 whole, IPv6 by its /64, since that is what one subscriber is given and draws new addresses
 * from. Null where there is none (a Unix socket).
 */
export function addressKey(address: string): string | null {
  if (address === '') return null
  if (!address.includes(':')) return address
  const dotted = /^::ffff:(\d[\d.]+)$/i.exec(address)?.[1]
  if (dotted !== undefined) return dotted
  // What stands before `::` are the first groups; those that it leaves out are zero.
  const [front = '', back] = address.split('::', 2)
  const groups = front === '' ? [] : front.split(':')
  if (back !== undefined) {
    const behind = back === '' ? [] : back.split(':')
    // A dotted end stands for two groups.
    const missing = 8 - groups.length - behind.length - (back.includes('.') ? 1 : 0)
    for (let i = 0; i < missing; i++) groups.push('0')
    groups.push(...behind)
  }
  const prefix = groups.slice(0, 4).map(group => Number.parseInt(group, 16).toString(16))
  return `${prefix.join(':')}::/64`
}
