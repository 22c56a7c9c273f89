import { X509Certificate } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { alternativeNames } from '../../exchange/peer-identity.ts'
import type { ServerCertificate } from '../../snapshot/listener-tls.ts'
import type { ConfigPath, Resolution } from './resolution.ts'
import { readSecretFile } from './secret-file.ts'

/** How long before its end a certificate is warned of when it is loaded. */
const SOON_MS = 7 * 86_400_000

/**
 * Reads a file that a key names, and has it watched. Reported where it cannot be read; its contents are shown nowhere.
 * @param secret whether it holds a key, and so must not be anybody's to write, nor everybody's to read
 * @returns null where it is not there, or where secrets are left alone
 */
export function readPem(
  name: string,
  path: ConfigPath,
  resolution: Resolution,
  secret: boolean,
): string | null {
  const from = resolution.fileOf(path)
  const file = resolve(from === undefined ? '.' : dirname(from), name)
  resolution.files.add(file)
  if (!resolution.secrets) return null
  const read = readSecretFile(file, name)
  if ('problem' in read) {
    resolution.fault(path, read.problem, read.suggestion)
    return null
  }
  if (secret && read.warning !== null) resolution.warnings.push(read.warning)
  // What it holds is shown by its name, as what a reference brings is.
  resolution.found.set(read.value, name)
  return read.value
}

/** A certificate with its key. Null where something is wrong with it, which is reported. */
export function readCertificate(
  written: { readonly cert: string; readonly key: string },
  path: ConfigPath,
  resolution: Resolution,
): ServerCertificate | null {
  const cert = readPem(written.cert, [...path, 'cert'], resolution, false)
  const key = readPem(written.key, [...path, 'key'], resolution, true)
  if (cert === null || key === null) return null
  const leaf = parse(cert)
  if (leaf === null) {
    resolution.fault([...path, 'cert'], `the file ${written.cert} holds no certificate (PEM)`)
    return null
  }
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^error:[^:]*:[^:]*::/, '') : String(error)
    resolution.fault(
      [...path, 'key'],
      /mismatch/i.test(why)
        ? `the key ${written.key} does not belong to the certificate ${written.cert}`
        : `the key ${written.key} cannot be used: ${why}`,
    )
    return null
  }
  const notAfter = leaf.validToDate.getTime()
  warnOfEnd(written.cert, notAfter, resolution)
  const names = (alternativeNames(leaf.subjectAltName ?? '') ?? [])
    .filter(([kind]) => kind === 'DNS' || kind === 'IP Address')
    .map(([, name]) => name.toLowerCase())
  return { cert, key, names, notAfter, file: written.cert }
}

/** Authorities, one or several in one file. Null where something is wrong with them, which is reported. */
export function readAuthorities(name: string, path: ConfigPath, resolution: Resolution): string | null {
  const pem = readPem(name, path, resolution, false)
  if (pem === null) return null
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  const parsed = blocks.map(parse)
  if (blocks.length === 0 || parsed.includes(null)) {
    resolution.fault(path, `the file ${name} holds no certificate (PEM)`)
    return null
  }
  const leaf = parsed.find(certificate => certificate?.ca === false)
  if (leaf !== undefined) {
    resolution.fault(
      path,
      `the file ${name} holds a certificate that is no authority (${leaf?.subject.replaceAll('\n', ', ')})`,
      'name the certificate of who signed it',
    )
    return null
  }
  for (const certificate of parsed) {
    if (certificate !== null) warnOfEnd(name, certificate.validToDate.getTime(), resolution)
  }
  return pem
}

function parse(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem)
  } catch {
    return null
  }
}

function warnOfEnd(name: string, notAfter: number, resolution: Resolution): void {
  const left = notAfter - Date.now()
  if (left <= 0) resolution.warnings.push(`the certificate ${name} ended ${new Date(notAfter).toISOString()}`)
  else if (left < SOON_MS)
    resolution.warnings.push(`the certificate ${name} ends ${new Date(notAfter).toISOString()}`)
}
