import type { ApiClient } from '../../sidecar/kubernetes/api-client.ts'
import type { ApiObject } from '../../sidecar/kubernetes/api-object.ts'
import type { CertificateState } from './certificate-state.ts'
import { isObject, listOf, metaOf, textOf } from '../../sidecar/kubernetes/api-object.ts'

/** A Secret as it was read. */
export interface ReadSecret {
  /** Null where it is not there. */
  readonly object: ApiObject | null
  /** Null where it holds no certificates. */
  readonly state: CertificateState | null
  /** When the API server stored it, by its own clock in milliseconds; 0 where it does not say. */
  readonly writtenAt: number
}

/** The Secret in which the replicas share their certificates. */
export class CertificateSecret {
  readonly #api: Pick<ApiClient, 'get' | 'create' | 'replace'>
  readonly #namespace: string
  readonly #name: string

  constructor(api: Pick<ApiClient, 'get' | 'create' | 'replace'>, namespace: string, name: string) {
    this.#api = api
    this.#namespace = namespace
    this.#name = name
  }

  /** @returns what stands there, or why it cannot be read */
  async read(): Promise<ReadSecret | string> {
    const { status, body, error } = await this.#api.get(`${this.#path()}/${this.#name}`)
    if (status === 404) return { object: null, state: null, writtenAt: 0 }
    if (error !== '') return error
    return isObject(body)
      ? { object: body, state: stateIn(body), writtenAt: writtenAt(body) }
      : 'the answer is no Secret'
  }

  /**
   * Writes certificates where nobody has written since they were read.
   * @returns null where it is done, `conflict` where somebody was faster, or why it cannot be done
   */
  async write(state: CertificateState, before: ApiObject | null): Promise<string | null> {
    const object = {
      // What others put there, labels among it, stays.
      ...before,
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: before?.['metadata'] ?? {
        name: this.#name,
        namespace: this.#namespace,
        labels: { 'app.kubernetes.io/name': 'outrigger-injector' },
      },
      data: dataOf(state),
    }
    const path = `${this.#path()}/${metaOf(before).name || this.#name}`
    const { status, error } =
      before === null
        ? await this.#api.create(this.#path(), { ...object, type: 'Opaque' })
        : await this.#api.replace(path, object)
    if (error === '') return null
    // 404: somebody removed it meanwhile.
    return status === 409 || (status === 404 && before !== null) ? 'conflict' : error
  }

  #path(): string {
    return `/api/v1/namespaces/${this.#namespace}/secrets`
  }
}

function dataOf({ current, next, previous, serving }: CertificateState): Record<string, string> {
  const texts: Record<string, string> = {
    'ca.crt': current.cert,
    'ca.key': current.key,
    'tls.crt': serving.cert,
    'tls.key': serving.key,
    ...(next === null ? {} : { 'next-ca.crt': next.cert, 'next-ca.key': next.key }),
    ...(previous === null
      ? {}
      : { 'previous-ca.crt': previous.cert, 'previous-ca.until': new Date(previous.until).toISOString() }),
  }
  return Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  )
}

function writtenAt(secret: ApiObject): number {
  const metadata = isObject(secret['metadata']) ? secret['metadata'] : {}
  const times = listOf(metadata['managedFields']).map(one =>
    Date.parse(isObject(one) ? textOf(one['time']) : ''),
  )
  return Math.max(0, ...times.filter(time => !Number.isNaN(time)))
}

function stateIn(secret: ApiObject): CertificateState | null {
  const data = isObject(secret['data']) ? secret['data'] : {}
  const read = (key: string): string => {
    const value = data[key]
    return typeof value === 'string' ? Buffer.from(value, 'base64').toString() : ''
  }
  const pairOf = (cert: string, key: string) =>
    read(cert) === '' || read(key) === '' ? null : { cert: read(cert), key: read(key) }
  const current = pairOf('ca.crt', 'ca.key')
  const serving = pairOf('tls.crt', 'tls.key')
  if (current === null || serving === null) return null
  const cert = read('previous-ca.crt')
  const until = Date.parse(read('previous-ca.until'))
  const previous = cert === '' || Number.isNaN(until) ? null : { cert, until }
  return { current, next: pairOf('next-ca.crt', 'next-ca.key'), previous, serving }
}
