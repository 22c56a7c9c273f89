import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Authority, KeyPair } from '../certificates/authority.ts'
import type { Command, CommandOutput } from './command.ts'

const DAY_MS = 86_400_000
/** Clocks of two machines differ; a certificate is good a little before it is made. */
const EARLY_MS = 300_000
const AUTHORITY_DAYS = 365

/** `outrigger certs`: an authority and workload certificates for development. */
export const certs: Command = {
  name: 'certs',
  summary: 'make a local authority and workload certificates for mTLS in development',
  help: `Usage: outrigger certs [--dir DIR] [--trust-domain NAME] [--days N] [--dns NAME]... WORKLOAD...

Makes DIR/ca.crt and DIR/ca.key where they are not there yet, and for each workload DIR/WORKLOAD.crt and DIR/WORKLOAD.key:
a certificate for spiffe://TRUST-DOMAIN/WORKLOAD, and for the DNS names WORKLOAD and localhost and the address 127.0.0.1.
What a workload had is replaced, so running it again renews; a running Outrigger takes the new files as they come.

  --dir DIR             where the files are (certs)
  --trust-domain NAME   the first part of SPIFFE IDs (local)
  --days N              how long workload certificates are good (30); the authority is for ${AUTHORITY_DAYS}
  --dns NAME            one more DNS name, for all of them

The keys are as secret as the directory: this is for development. In production use cert-manager, SPIRE or what your
platform has; Outrigger reads the files of any of them.
`,
  run,
}

interface Wanted {
  readonly dir: string
  readonly trustDomain: string
  readonly days: number
  readonly dns: readonly string[]
  readonly workloads: readonly string[]
}

async function run(args: string[], io: CommandOutput): Promise<number> {
  const wanted = readArguments(args)
  if (typeof wanted === 'string') {
    io.stderr(`outrigger certs: ${wanted}; see outrigger certs --help\n`)
    return 2
  }
  try {
    mkdirSync(wanted.dir, { recursive: true, mode: 0o700 })
    const authority = await openAuthority(wanted, io)
    for (const workload of wanted.workloads) {
      const id = `spiffe://${wanted.trustDomain}/${workload}`
      const now = Date.now()
      const pair = await authority.issue({
        commonName: workload,
        uris: [id],
        dns: [...new Set([workload.toLowerCase(), 'localhost', ...wanted.dns])],
        addresses: ['127.0.0.1', '::1'],
        notBefore: now - EARLY_MS,
        notAfter: now + wanted.days * DAY_MS,
      })
      writePair(join(wanted.dir, workload), pair)
      io.stdout(`${join(wanted.dir, workload)}.crt  ${id}\n`)
    }
    return 0
  } catch (error) {
    io.stderr(`outrigger certs: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

function readArguments(args: string[]): Wanted | string {
  let parsed
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: {
        dir: { type: 'string', default: 'certs' },
        'trust-domain': { type: 'string', default: 'local' },
        days: { type: 'string', default: '30' },
        dns: { type: 'string', multiple: true, default: [] },
      },
    })
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  const { dir, days, dns } = parsed.values
  const trustDomain = parsed.values['trust-domain']
  const workloads = parsed.positionals
  if (workloads.length === 0) return 'name at least one workload'
  const odd = workloads.find(name => !/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name) || name === 'ca')
  if (odd !== undefined)
    return `${JSON.stringify(odd)} cannot name a workload: letters, digits, ".", "_", "-", and not "ca"`
  if (!/^[a-z0-9._-]{1,255}$/.test(trustDomain)) return `${JSON.stringify(trustDomain)} is no trust domain`
  if (!/^\d{1,4}$/.test(days) || Number(days) < 1)
    return `--days takes a whole number from 1 to 9999, got ${days}`
  return { dir, trustDomain, days: Number(days), dns, workloads }
}

async function openAuthority(wanted: Wanted, io: CommandOutput): Promise<Authority> {
  // Loaded here: it takes a tenth of a second that no other command pays.
  const { Authority: Made } = await import('../certificates/authority.ts')
  const [cert, key] = [join(wanted.dir, 'ca.crt'), join(wanted.dir, 'ca.key')]
  if (existsSync(cert) && existsSync(key)) {
    const authority = await Made.load({ cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') })
    if (authority.notAfter > Date.now()) return authority
    throw new Error(
      `${cert} ended ${new Date(authority.notAfter).toISOString()}: remove it and ${key} for a new one`,
    )
  }
  if (existsSync(cert) || existsSync(key))
    throw new Error(`of ${cert} and ${key} only one is there: remove it for a new authority`)
  const now = Date.now()
  const { authority, pair } = await Made.create({
    commonName: `Outrigger development authority of ${wanted.trustDomain}`,
    notBefore: now - EARLY_MS,
    notAfter: now + AUTHORITY_DAYS * DAY_MS,
  })
  writePair(join(wanted.dir, 'ca'), pair)
  io.stdout(`${cert}  the authority\n`)
  return authority
}

/** The key first: who watches the certificate finds its key there. Each file is there whole or not at all. */
function writePair(stem: string, pair: KeyPair): void {
  for (const [file, text, mode] of [
    [`${stem}.key`, pair.key, 0o600],
    [`${stem}.crt`, pair.cert, 0o644],
  ] as const) {
    writeFileSync(`${file}.new`, text, { mode })
    renameSync(`${file}.new`, file)
  }
}
