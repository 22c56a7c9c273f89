import { parseArgs } from 'node:util'
import { assertedCaller } from '../config/compile/asserted-caller.ts'
import type { CompiledEntries } from '../config/compile/entries.ts'
import type { ResolvedReference } from '../config/resolved.ts'
import { formatConfigErrors } from '../config/config-error.ts'
import type { ResolvedConfig } from '../config/resolved.ts'
import type { Caller, Claims } from '../exchange/caller.ts'
import { toWire } from '../exchange/headers.ts'
import type { PeerIdentity } from '../exchange/peer-identity.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { asWritten } from '../config/as-written.ts'
import { canonicalize } from '../routing/canonical-request.ts'
import { type Entry, listenerFor } from '../snapshot/snapshot.ts'
import { addressLabel } from '../upstream/endpoint.ts'
import { adminTarget } from './admin-client.ts'
import type { Command, CommandOutput } from './command.ts'
import { formatExplanation } from './explanation-text.ts'
import { explanation } from './explanation.ts'
import { compileUnopened, judge, type UnopenedUpstream } from './judge.ts'
import { liveUpstream } from './live-upstream.ts'

/** `outrigger explain`: what becomes of one request, and why. */
export const explain: Command = {
  name: 'explain',
  summary: 'say which route takes a request, with which policies, and why the others do not',
  help: `Usage: outrigger explain [-c PATH]... [--env NAME] [--listener NAME] METHOD URL [-H 'name: value']...

Decides one request as \`outrigger run\` would, and opens nothing: no socket, no look-up of names. With --live it asks
a running Outrigger how the endpoints are.

  -c, --config PATH   as for run (./outrigger.yaml)
  --env NAME          the environment whose overlays are laid over (OUTRIGGER_ENV)
  --listener NAME     the address at which it comes in; needed where several serve the host
  --as CALLER         who calls, as if it had been proved: an entry of consumers, or PROVIDER/SUBJECT
  --claims JSON       what its token says
  --peer ID           the SPIFFE ID or DNS name that the client's certificate proves
  -H, --header LINE   a field of the request; a host field goes before that of the URL
  --live              the state of each endpoint and its reason, from the admin.address of the configuration
  --admin ADDRESS     the same from another address: host:port or unix:/path
  --format json       for machines

URL is https://host/path, or a path with a host in -H. The request is taken to come from 127.0.0.1 without a body,
unless a content-length or transfer-encoding says that there is one.

Exit code 0 where the request was explained, one that is refused too; 1 configuration, or nobody to ask with --live, 2 usage.
`,
  run,
}

/** Who asks: a client on this machine. */
const PEER = '127.0.0.1'

async function run(args: string[], io: CommandOutput): Promise<number> {
  const refuse = (why: string): number => {
    io.stderr(`outrigger explain: ${why}\n`)
    return 2
  }
  const options = parse(args)
  if (typeof options === 'string') return refuse(options)
  // zod and yaml are loaded by the command that needs them, not by the process that serves.
  const { loadConfig } = await import('../config/load/load.ts')
  const loaded = loadConfig(options.paths, { env: options.env, secrets: true })
  if (!loaded.ok) {
    io.stderr(`${formatConfigErrors(loaded.errors)}\n`)
    return 1
  }
  const { request } = options
  const entry = entryOf(await compileUnopened(loaded.config), request, options.listener)
  if (typeof entry === 'string') return refuse(entry)
  const caller = callerOf(loaded.config, options)
  if (typeof caller === 'string') return refuse(caller)
  const identity = options.peer === undefined ? null : identityNamed(options.peer)
  const asked = { head: request.head, encrypted: request.encrypted, peer: PEER, identity, caller }
  const said = explanation(loaded.config, entry, await judge(entry, asked))
  const references = loaded.config.references ?? []
  // What a reference brought may be a secret, also in the middle of an expression.
  const policies = said.policies.map(policy => ({
    ...policy,
    value: written(policy.value, references),
    text: asWritten(policy.text, references),
  }))
  const explained = { ...said, policies }
  const { upstream } = explained
  const from = options.admin ?? (options.live ? addressLabel(loaded.config.admin.address) : null)
  const target = from === null ? null : adminTarget(from)
  if (from !== null && target === null) return refuse(`${from} is no address that can be asked: say --admin`)
  const live = target === null || upstream === null ? null : await liveUpstream(target, upstream.name)
  const whole =
    upstream === null || live === null || typeof live === 'string'
      ? explained
      : { ...explained, upstream: { ...upstream, live } }
  io.stdout(options.format === 'json' ? `${JSON.stringify(whole, null, 2)}\n` : formatExplanation(whole))
  if (typeof live !== 'string') return 0
  io.stderr(`outrigger explain: ${from}: ${live}\n`)
  return 1
}

function parse(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        config: { type: 'string', short: 'c', multiple: true },
        env: { type: 'string' },
        listener: { type: 'string' },
        header: { type: 'string', short: 'H', multiple: true },
        format: { type: 'string' },
        as: { type: 'string' },
        claims: { type: 'string' },
        peer: { type: 'string' },
        live: { type: 'boolean' },
        admin: { type: 'string' },
      },
    })
    const format = values.format ?? 'text'
    if (format !== 'text' && format !== 'json') return `--format is text or json, not ${format}`
    const [method, url, ...more] = positionals
    if (method === undefined || url === undefined || more.length > 0)
      return 'one request is needed, such as: GET https://shop.example/orders'
    const request = requestOf(method, url, values.header ?? [])
    if (typeof request === 'string') return request
    const env = values.env ?? process.env['OUTRIGGER_ENV']
    return {
      paths: values.config ?? ['./outrigger.yaml'],
      env: env === '' ? undefined : env,
      listener: values.listener,
      format,
      as: values.as,
      claims: values.claims,
      peer: values.peer,
      live: values.live === true,
      admin: values.admin,
      request,
    }
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? error.message) : String(error)
  }
}

/** Who calls, as the options say; null where they say nothing, text where they cannot be. */
function callerOf(
  config: ResolvedConfig,
  { as, claims }: { readonly as: string | undefined; readonly claims: string | undefined },
): Caller | string | null {
  if (as === undefined && claims === undefined) return null
  let said: Claims | null = null
  if (claims !== undefined) {
    try {
      const value: unknown = JSON.parse(claims)
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        return '--claims is a JSON object'
      said = Object.assign(Object.create(null) as Record<string, unknown>, value)
    } catch {
      return '--claims is no JSON'
    }
  }
  return assertedCaller(config.identity, as ?? null, said)
}

function identityNamed(name: string): PeerIdentity {
  const spiffe = name.startsWith('spiffe://')
  return {
    spiffe: spiffe ? name : '',
    dns: spiffe ? [] : [name.toLowerCase()],
    subject: '',
    fingerprint: '',
    notAfter: Infinity,
  }
}

interface WrittenRequest {
  readonly method: string
  readonly target: string
  readonly host: string | null
  readonly encrypted: boolean
  readonly head: string
}

/**
 * The bytes of a request. What is wrong with it as HTTP is left to the codec, which says it as it would on the wire; here
 * only what would make it another request than the one that was written.
 */
function requestOf(method: string, url: string, lines: readonly string[]): WrittenRequest | string {
  if (method === 'CONNECT') return 'CONNECT asks for nothing yet; explain the request that is sent through it'
  for (const part of [method, url])
    if (!/^[\x21-\x7e]+$/.test(part))
      return `${JSON.stringify(part)} holds characters that have to be encoded`
  const [, scheme = '', authority = '', rest = ''] = /^(https?):\/\/([^/?#]*)(.*)$/i.exec(url) ?? []
  const target = scheme === '' ? url : rest.startsWith('/') ? rest : `/${rest}`
  if (scheme === '' && !/^[/*]/.test(url)) return `${url} is neither https://host/path nor a path`
  let host = scheme === '' ? null : authority
  let fields = ''
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = toWire(line.slice(0, colon))
    const value = toWire(line.slice(colon + 1).trim())
    if (colon < 1 || name === null || value === null) return `${JSON.stringify(line)} is not 'name: value'`
    if (name.toLowerCase() === 'host') host = value
    fields += `${name}: ${value}\r\n`
  }
  const own = lines.some(line => /^host:/i.test(line)) || host === null ? '' : `host: ${host}\r\n`
  const head = `${method} ${target} HTTP/1.1\r\n${own}${fields}\r\n`
  return { method, target, host, encrypted: /^https$/i.test(scheme), head }
}

/** The address at which a request comes in, or what has to be said to know it. */
function entryOf(
  compiled: CompiledEntries<UnopenedUpstream>,
  asked: WrittenRequest,
  listener: string | undefined,
): Entry<UnopenedUpstream> | string {
  const all = [...compiled.entries.values()]
  const entries = all.filter(entry => entry.protocol === 'http')
  const names = (some: typeof entries): string =>
    some.flatMap(entry => entry.listeners.map(one => one.name)).join(', ')
  if (listener !== undefined) {
    const tcp = all.find(entry => entry.protocol === 'tcp' && entry.listeners[0]?.name === listener)
    if (tcp !== undefined) return `${listener} is a TCP listener: there is no request to explain`
    const named = entries.find(entry => entry.listeners.some(one => one.name === listener))
    return named ?? `there is no listener ${listener}; there are ${names(entries)}`
  }
  const request = canonicalize(asked.method, asked.target, asked.host, asked.encrypted, 'HTTP/1.1')
  const host = request instanceof ProxyError ? null : request.host
  const serving = host === null ? entries : entries.filter(entry => listenerFor(entry, host) !== null)
  const [first = entries[0], second] = serving
  if (second !== undefined) return `several addresses serve the host: say --listener (${names(serving)})`
  return first ?? 'there is no listener'
}

/** The same data, every text of it as it was written. */
function written(value: unknown, references: readonly ResolvedReference[]): unknown {
  const text = JSON.stringify(value)
  return JSON.parse(text, (_, one: unknown) => (typeof one === 'string' ? asWritten(one, references) : one))
}
