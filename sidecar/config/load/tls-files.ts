import { X509Certificate } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import type { CertificateLife } from '../../exchange/certificate-life.ts'
import { alternativeNames } from '../../exchange/peer-identity.ts'
import type { ServerCertificate } from '../../snapshot/listener-tls.ts'
import type { ConfigPath, Resolution } from './resolution.ts'
import { readSecretFile } from './secret-file.ts'
import { nodeTls } from '../../runtime/node-modules.ts'

/** The longest time before its end from which on a certificate is warned of. */
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
    nodeTls().createSecureContext({ cert, key })
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
  const life = lifeOf(written.cert, leaf)
  warnOfEnd(life, resolution)
  const names = (alternativeNames(leaf.subjectAltName ?? '') ?? [])
    .filter(([kind]) => kind === 'DNS' || kind === 'IP Address')
    .map(([, name]) => name.toLowerCase())
  return { cert, key, names, ...life }
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
    if (certificate !== null) warnOfEnd(lifeOf(name, certificate), resolution)
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

function lifeOf(file: string, certificate: X509Certificate): CertificateLife {
  const notAfter = certificate.validToDate.getTime()
  const life = notAfter - certificate.validFromDate.getTime()
  return { file, notAfter, renewBy: notAfter - Math.min(SOON_MS, life / 4) }
}

function warnOfEnd({ file, notAfter, renewBy }: CertificateLife, resolution: Resolution): void {
  const now = Date.now()
  if (now < renewBy) return
  const when = new Date(notAfter).toISOString()
  resolution.warnings.push(`the certificate ${file} ${now < notAfter ? 'ends' : 'ended'} ${when}`)
}
