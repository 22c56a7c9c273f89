import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import tls from 'node:tls'
import { Authority, type CertificateRequest, type KeyPair } from '../../sidecar/certificates/authority.ts'

const HOUR_MS = 3_600_000

/** What a certificate is to say; an hour long unless it says otherwise. */
export type CertificateWish = Omit<Partial<CertificateRequest>, 'notBefore'> & { readonly notBefore?: number }

/** An authority with a folder of its own, in which it leaves certificates as files for configurations. */
export class CertificateFolder {
  readonly authority: Authority
  readonly folder: string

  private constructor(authority: Authority, folder: string) {
    this.authority = authority
    this.folder = folder
  }

  static async create(): Promise<CertificateFolder> {
    const now = Date.now()
    const wish = { commonName: 'test authority', notBefore: now - HOUR_MS, notAfter: now + 24 * HOUR_MS }
    const { authority } = await Authority.create(wish)
    const made = new CertificateFolder(
      authority,
      mkdtempSync(path.join(os.tmpdir(), 'outrigger-certificates-')),
    )
    writeFileSync(made.ca, authority.cert)
    return made
  }

  /** The file of the authority's certificate. */
  get ca(): string {
    return this.file('ca.crt')
  }

  file(name: string): string {
    return path.join(this.folder, name)
  }

  issue(wish: CertificateWish): Promise<KeyPair> {
    const now = Date.now()
    return this.authority.issue({
      commonName: 'test',
      notBefore: now - HOUR_MS,
      notAfter: now + HOUR_MS,
      ...wish,
    })
  }

  /** Issues a certificate and writes NAME.crt and NAME.key. @returns `cert: ..., key: ...` for a configuration */
  async write(name: string, wish: CertificateWish): Promise<string> {
    const pair = await this.issue(wish)
    // Each file whole or not at all, as those who renew certificates leave them; for a moment the two are no pair.
    for (const [extension, text, mode] of [
      ['key', pair.key, 0o600],
      ['crt', pair.cert, 0o644],
    ] as const) {
      const file = this.file(`${name}.${extension}`)
      writeFileSync(`${file}.new`, text, { mode })
      renameSync(`${file}.new`, file)
    }
    return `cert: "${this.file(`${name}.crt`)}", key: "${this.file(`${name}.key`)}"`
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** What a TLS client saw. */
export interface TlsAnswer {
  /** What came back until the server closed, or the error. */
  readonly text: string
  readonly error: string
  readonly peer: string
  readonly reused: boolean
  readonly session: Buffer | null
  readonly protocol: string | null
  readonly cipher: string
}

/** Opens TLS to a port, asks one thing (which should close the connection) and reads until the end. */
export async function askTls(
  port: number,
  options: tls.ConnectionOptions & { readonly ask?: string },
): Promise<TlsAnswer> {
  const { ask, ...rest } = options
  const socket = tls.connect({ host: '127.0.0.1', port, servername: 'a.example', ...rest })
  let text = ''
  let error = ''
  let session: Buffer | null = null
  const seen = { peer: '', reused: false, protocol: null as string | null, cipher: '' }
  socket.setEncoding('latin1')
  socket.on('error', failure => {
    error = 'code' in failure ? String(failure.code) : failure.message
  })
  socket.on('session', ticket => {
    session = ticket
  })
  socket.on('secureConnect', () => {
    seen.peer = socket.getPeerX509Certificate()?.subjectAltName ?? ''
    seen.reused = socket.isSessionReused()
    seen.protocol = socket.getProtocol()
    seen.cipher = socket.getCipher().name
    socket.write(ask ?? 'GET /here HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n')
  })
  socket.on('data', (chunk: string) => {
    text += chunk
  })
  await new Promise(resolve => socket.once('close', resolve))
  return { text, error, ...seen, session }
}
