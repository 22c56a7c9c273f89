// eslint-disable-next-line import/no-unassigned-import -- it is there for what it does: @peculiar/x509 needs it first
import 'reflect-metadata'
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

/** A certificate with its private key, PEM. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
}

/** What a certificate is to say. */
export interface CertificateRequest {
  /** For people; no verifier reads it as a name. */
  readonly commonName: string
  /** Such as `spiffe://shop/orders`. */
  readonly uris?: readonly string[]
  readonly dns?: readonly string[]
  readonly addresses?: readonly string[]
  /** On the wall clock, in milliseconds. */
  readonly notBefore: number
  readonly notAfter: number
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** An authority that signs certificates of workloads, with P-256 keys. */
export class Authority {
  /** Its certificate, PEM. */
  readonly cert: string
  readonly #certificate: X509Certificate
  readonly #key: webcrypto.CryptoKey

  private constructor(certificate: X509Certificate, key: webcrypto.CryptoKey) {
    this.cert = pem(certificate)
    this.#certificate = certificate
    this.#key = key
  }

  /** Makes a new authority, and answers it with its key, for the file that keeps it. */
  static async create(request: Omit<CertificateRequest, 'uris' | 'dns' | 'addresses'>): Promise<{
    readonly authority: Authority
    readonly pair: KeyPair
  }> {
    const keys = await newKeys()
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(),
      name: [{ CN: [request.commonName] }],
      notBefore: new Date(request.notBefore),
      notAfter: new Date(request.notAfter),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        // It signs workloads, and no other authority.
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    })
    const authority = new Authority(certificate, keys.privateKey)
    return { authority, pair: { cert: authority.cert, key: await exportKey(keys.privateKey) } }
  }

  /**
   * An authority that was made before.
   * @throws Error where the text is no certificate or no P-256 key
   */
  static async load(pair: KeyPair): Promise<Authority> {
    const der = createPrivateKey(pair.key).export({ type: 'pkcs8', format: 'der' })
    const key = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign'])
    return new Authority(new X509Certificate(pair.cert), key)
  }

  /** When it ends, on the wall clock. */
  get notAfter(): number {
    return this.#certificate.notAfter.getTime()
  }

  /** Signs a certificate for a new key; for both sides of TLS. */
  async issue(request: CertificateRequest): Promise<KeyPair> {
    const keys = await newKeys()
    const names: JsonGeneralName[] = [
      ...(request.uris ?? []).map(value => ({ type: 'url' as const, value })),
      ...(request.dns ?? []).map(value => ({ type: 'dns' as const, value })),
      ...(request.addresses ?? []).map(value => ({ type: 'ip' as const, value })),
    ]
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: [{ CN: [request.commonName] }],
      issuer: this.#certificate.subjectName,
      notBefore: new Date(request.notBefore),
      notAfter: new Date(Math.min(request.notAfter, this.notAfter)),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: this.#key,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new SubjectAlternativeNameExtension(names),
        await AuthorityKeyIdentifierExtension.create(this.#certificate),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    })
    return { cert: pem(certificate), key: await exportKey(keys.privateKey) }
  }
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', key)
  return `${PemConverter.encode(der, 'PRIVATE KEY')}\n`
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`
}

/** RFC 5280 section 4.1.2.2: positive, unique, at most 20 octets. */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex')
}
