import type { CredentialPlace, Jwk, JwtKeys, JwtProvider } from '../../filters/authenticate/schema.ts'
import { ALGORITHMS, type WrittenAuthentication } from './authentication-schema.ts'
import { contentHash } from './hash.ts'
import type { ConfigPath, Resolution } from './resolution.ts'
import { resolveExchange } from './resolve-exchange.ts'
import { resolveRevoked } from './resolve-revoked.ts'
import { readPem } from './tls-files.ts'

type Written = NonNullable<WrittenAuthentication['jwt']>[string]

const SHARED: readonly string[] = ALGORITHMS.filter(name => name.startsWith('HS'))
const SIGNED: readonly string[] = ALGORITHMS.filter(name => !name.startsWith('HS'))
const MAX_KEYS = 100
const MAX_BYTES = 256 * 1024

/** A provider of tokens, with its keys where a file holds them. */
export function resolveJwtProvider(name: string, written: Written, resolution: Resolution): JwtProvider {
  const path = ['authentication', 'jwt', name]
  const fault = (key: string, message: string, suggestion?: string): void => {
    if (!resolution.partial && resolution.secrets)
      resolution.fault([...path, key], message, suggestion, 'key')
  }
  if (written.issuer === undefined)
    fault(
      'issuer',
      '`issuer` is missing: what `iss` has to be',
      'or say `issuer: off` to accept every issuer',
    )
  if (written.audiences === undefined)
    fault(
      'audiences',
      '`audiences` is missing: whom tokens are for',
      'or say `audiences: off` to accept tokens for anybody',
    )
  else if (written.audiences !== null && written.audiences.length === 0)
    fault('audiences', '`audiences` is empty: no token could pass')
  const keys = keysOf(written, path, resolution)
  const fitting = keys.kind === 'secret' ? SHARED : SIGNED
  const algorithms = written.algorithms ?? (keys.kind === 'secret' ? ['HS256'] : SIGNED)
  for (const [index, one] of algorithms.entries()) {
    if (!fitting.includes(one))
      fault(
        'algorithms',
        keys.kind === 'secret'
          ? `\`${one}\` needs a key pair, and \`secret\` is a shared key`
          : `\`${one}\` needs \`secret\`: a public key would be the secret`,
        index === 0 ? `expected one of: ${fitting.join(', ')}` : undefined,
      )
  }
  if (algorithms.length === 0) fault('algorithms', '`algorithms` is empty: no token could pass')
  const types = (written.types ?? ['JWT', 'at+jwt']).map(type =>
    type.toLowerCase().replace(/^application\//, ''),
  )
  const provider = {
    name,
    keys,
    algorithms: [...new Set(algorithms)],
    chosen: written.algorithms !== undefined,
    issuer: written.issuer ?? null,
    audiences: written.audiences ?? null,
    expires: written.expiry ?? true,
    types,
    skew: written.skew ?? 30_000,
    from: placeOf(written.from, [...path, 'from'], resolution),
    forward: written.forward ?? written.exchange === undefined,
    subject: written.subject ?? 'sub',
    groups: written.groups ?? null,
    proof: written.proof ?? null,
    claimHeaders: Object.entries(written.claimHeaders ?? {}),
    ...resolveExchange(written.exchange),
  }
  return { ...provider, digest: contentHash(provider), ...resolveRevoked(written.revoked, path, resolution) }
}

/** Where a token stands. */
export function placeOf(written: Written['from'], path: ConfigPath, resolution: Resolution): CredentialPlace {
  if (written === undefined) return { kind: 'bearer' }
  const { header, cookie } = written
  if ((header === undefined) === (cookie === undefined) && !resolution.partial)
    resolution.fault(path, 'expected one of `header` and `cookie`', undefined, 'key')
  if (cookie !== undefined) return { kind: 'cookie', name: cookie }
  return header === undefined || header === 'authorization'
    ? { kind: 'bearer' }
    : { kind: 'header', name: header }
}

function keysOf(written: Written, path: ConfigPath, resolution: Resolution): JwtKeys {
  const { secret, jwks, issuer } = written
  const none: JwtKeys = { kind: 'set', keys: [] }
  if (secret !== undefined && jwks !== undefined) {
    resolution.fault([...path, 'jwks'], '`secret` and `jwks` are alternatives: give one', undefined, 'key')
    return none
  }
  if (secret !== undefined) {
    if (resolution.secrets && Buffer.byteLength(secret) < 32)
      resolution.fault(
        [...path, 'secret'],
        'the secret is shorter than 32 bytes, and could be guessed from one token (RFC 7518 section 3.2)',
      )
    return { kind: 'secret', secret }
  }
  if (jwks !== undefined) {
    const { url, file } = jwks
    if ((url === undefined) === (file === undefined)) {
      if (!resolution.partial)
        resolution.fault([...path, 'jwks'], 'expected one of `url` and `file`', undefined, 'key')
      return none
    }
    if (url !== undefined) return { kind: 'url', url }
    return { kind: 'set', keys: readKeys(file ?? '', [...path, 'jwks', 'file'], resolution) }
  }
  if (typeof issuer !== 'string') {
    if (!resolution.partial && issuer === null)
      resolution.fault(
        path,
        'there are no keys: give `jwks`, `secret`, or an `issuer` whose keys can be discovered',
        undefined,
        'key',
      )
    return none
  }
  const url = URL.canParse(issuer) ? new URL(issuer) : null
  const loopback = url !== null && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
  if (
    resolution.secrets &&
    (url === null || (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback)))
  )
    resolution.fault(
      [...path, 'issuer'],
      'keys are discovered at an https:// URL (or http:// to a loopback address), and this is none',
      'say the keys: jwks: { url: https://... } or { file: ... }, or secret',
    )
  return { kind: 'discovery', issuer }
}

/** The public keys that a file holds (RFC 7517). */
function readKeys(name: string, path: ConfigPath, resolution: Resolution): Jwk[] {
  const text = readPem(name, path, resolution, false)
  if (text === null) return []
  const wrong = (why: string): Jwk[] => {
    resolution.fault(path, `the file ${name} ${why}`)
    return []
  }
  if (Buffer.byteLength(text) > MAX_BYTES) return wrong('is larger than 256 KiB')
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return wrong('is no JSON')
  }
  const keys = typeof parsed === 'object' && parsed !== null && 'keys' in parsed ? parsed.keys : null
  if (!Array.isArray(keys)) return wrong('is no key set: a map with a list `keys`')
  if (keys.length > MAX_KEYS) return wrong(`holds more than ${MAX_KEYS} keys`)
  const found: Jwk[] = []
  for (const key of keys as unknown[]) {
    if (typeof key !== 'object' || key === null) return wrong('holds something that is no key')
    if ('d' in key || 'k' in key) return wrong('holds a secret or private key: name the public ones')
    found.push(Object.fromEntries(Object.entries(key)))
  }
  if (found.length === 0) resolution.warnings.push(`the file ${name} holds no key: every token is refused`)
  return found
}
