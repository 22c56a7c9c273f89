import type { ListenerTls } from '../../snapshot/listener-tls.ts'
import type { UpstreamTlsSpec } from '../../upstream/upstream-spec.ts'
import { contentHash } from './hash.ts'
import type { ConfigPath, Resolution } from './resolution.ts'
import { readAuthorities, readCertificate } from './tls-files.ts'
import type { WrittenListenerTls, WrittenUpstreamTls } from './tls-schema.ts'

/** TLS of a listener with the files that it names. Null where it has none. */
export function resolveListenerTls(
  written: WrittenListenerTls | undefined,
  path: ConfigPath,
  resolution: Resolution,
): ListenerTls | null {
  if (written === undefined) return null
  if (written.certificates.length === 0)
    resolution.fault([...path, 'certificates'], '`certificates` is empty: give at least one')
  const certificates = written.certificates.flatMap((one, index) => {
    const read = readCertificate(one, [...path, 'certificates', index], resolution)
    return read === null ? [] : [read]
  })
  const { clients, hsts } = written
  const ca =
    clients === undefined ? null : readAuthorities(clients.ca, [...path, 'clients', 'ca'], resolution)
  const content = {
    certificates,
    clients: ca === null ? null : { ca, required: clients?.required ?? true },
    minVersion: written.minVersion === 'tls1.3' ? ('TLSv1.3' as const) : ('TLSv1.2' as const),
    hsts: hsts === undefined || hsts === false ? null : hstsValue(hsts),
  }
  return { ...content, hash: contentHash(content) }
}

/** TLS towards an upstream with the files that it names. Null where it is plain. */
export function resolveUpstreamTls(
  given: WrittenUpstreamTls | false | undefined,
  https: boolean,
  path: ConfigPath,
  resolution: Resolution,
): UpstreamTlsSpec | null {
  if (given === false && https)
    resolution.fault(path, '`tls: off` and an https URL say two things', 'write the URL with http://', 'key')
  const written = given === undefined && https ? {} : given
  if (written === undefined || written === false) return null
  const { ca, cert, key } = written
  if ((cert === undefined) !== (key === undefined)) {
    const missing = cert === undefined ? 'cert' : 'key'
    resolution.fault(
      path,
      `\`cert\` and \`key\` belong together: \`${missing}\` is missing`,
      undefined,
      'key',
    )
  }
  const own =
    cert === undefined || key === undefined ? null : readCertificate({ cert, key }, path, resolution)
  const content = {
    ca: ca === undefined ? null : readAuthorities(ca, [...path, 'ca'], resolution),
    cert: own?.cert ?? null,
    key: own?.key ?? null,
    life: own === null ? null : { file: own.file, notAfter: own.notAfter, renewBy: own.renewBy },
    serverName: written.serverName ?? '',
    peers: written.peers ?? [],
  }
  return { ...content, hash: contentHash(content) }
}

/** RFC 6797 section 6.1. */
function hstsValue(written: { maxAge?: number | undefined; subdomains?: boolean | undefined }): string {
  const seconds = Math.floor((written.maxAge ?? 31_536_000_000) / 1000)
  return `max-age=${seconds}${written.subdomains === true ? '; includeSubDomains' : ''}`
}
