import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import os from 'node:os'
import path from 'node:path'
import tls from 'node:tls'
import { isObject, listOf } from '../../sidecar/kubernetes/api-object.ts'
import { CertificateFolder } from './certificates.ts'
import { FakeKubernetesApi } from './fake-kubernetes-api.ts'
import { jsonPatch } from './fake-kubernetes-store.ts'

const WEBHOOK = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/outrigger-injector'
const SERVER_NAME = 'outrigger-injector.outrigger-system.svc'
const TOKEN = 'token-of-the-injector'

/** What came back from the webhook. */
export interface WebhookAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  /** JSON, or the text. */
  readonly body: unknown
}

/** How a request to the webhook is made; what is not said is as the API server does it. */
export interface WebhookAsk {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  readonly agent?: https.Agent
}

/** An answer to a review, checked to be one. */
export interface ReviewResponse {
  readonly uid: string
  readonly allowed: boolean
  readonly warnings: readonly string[]
  readonly audit: Readonly<Record<string, string>>
  /** The object with the patch; the one that was sent where there is none. */
  readonly object: unknown
  readonly isPatched: boolean
}

/** A cluster as the injector sees it: an API server over TLS, an account there, and its webhook configuration. */
export class FakeCluster {
  readonly api: FakeKubernetesApi
  /** As it is mounted into pods. */
  readonly serviceAccount: string
  readonly #certificates: CertificateFolder

  private constructor(api: FakeKubernetesApi, certificates: CertificateFolder) {
    this.api = api
    this.#certificates = certificates
    this.serviceAccount = mkdtempSync(path.join(os.tmpdir(), 'outrigger-account-'))
    for (const [name, text] of [
      ['token', TOKEN],
      ['ca.crt', certificates.authority.cert],
      ['namespace', 'outrigger-system'],
    ] as const)
      writeFileSync(path.join(this.serviceAccount, name), text)
  }

  static async create(): Promise<FakeCluster> {
    const certificates = await CertificateFolder.create()
    const pair = await certificates.issue({ dns: ['localhost'], addresses: ['127.0.0.1'] })
    const api = await FakeKubernetesApi.start({ tls: pair, tokens: [TOKEN] })
    api.gitVersion = 'v1.32.4'
    const cluster = new FakeCluster(api, certificates)
    cluster.register()
    cluster.namespace('shop', { 'outrigger.dev/inject': 'enabled' })
    cluster.namespace('default', {})
    return cluster
  }

  /** Makes the webhook configuration, without any caBundle. */
  register(): void {
    const service = { name: 'outrigger-injector', namespace: 'outrigger-system', path: '/inject', port: 443 }
    const webhooks = ['namespace', 'pod'].map(name => ({
      name: `${name}.injector.outrigger.dev`,
      clientConfig: { service },
      sideEffects: 'NoneOnDryRun',
    }))
    this.api.put(WEBHOOK, { metadata: { name: 'outrigger-injector' }, webhooks })
  }

  unregister(): void {
    this.api.remove(WEBHOOK)
  }

  namespace(name: string, labels: Readonly<Record<string, string>>): void {
    this.api.put(`/api/v1/namespaces/${name}`, { metadata: { name, labels } })
  }

  /** What a pod's environment says of the API server. */
  get env(): Record<string, string> {
    return { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(this.api.port) }
  }

  /** By which certificates the API server knows the webhook, PEM. */
  get caBundle(): string {
    const configuration = this.api.get(WEBHOOK)
    const bundles = listOf(configuration?.['webhooks']).map(webhook => {
      const config = isObject(webhook) && isObject(webhook['clientConfig']) ? webhook['clientConfig'] : {}
      const bundle = config['caBundle']
      return typeof bundle === 'string' ? Buffer.from(bundle, 'base64').toString() : ''
    })
    if (new Set(bundles).size > 1) throw new Error('the webhooks have different bundles')
    return bundles[0] ?? ''
  }

  /** Overwrites caBundle, as somebody who applies the manifest again does. */
  set caBundle(text: string) {
    const object = this.api.get(WEBHOOK) ?? {}
    const steps = listOf(object['webhooks']).map((_, index) => ({
      op: 'add',
      path: `/webhooks/${index}/clientConfig/caBundle`,
      value: Buffer.from(text).toString('base64'),
    }))
    this.api.put(WEBHOOK, jsonPatch(object, steps) as typeof object) // it is the object that was given
  }

  /** Kubernetes events so far. */
  get events(): Record<string, unknown>[] {
    return this.api.requests.flatMap(({ method, path: where, body }) =>
      method === 'POST' && where.endsWith('/events') && isObject(body) ? [{ ...body }] : [],
    )
  }

  /** Asks the webhook, with the trust that the API server has in it. */
  ask(
    port: number,
    { method = 'POST', path: where = '/inject?timeout=5s', headers = {}, body, agent }: WebhookAsk,
  ) {
    return new Promise<WebhookAnswer>((resolve, reject) => {
      const request = https.request({
        host: '127.0.0.1',
        port,
        method,
        path: where,
        headers: { 'content-type': 'application/json', ...headers },
        agent: agent ?? false,
        ca: this.caBundle,
        servername: SERVER_NAME,
      })
      request.on('error', reject)
      request.on('response', response => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        response.on('error', reject)
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: jsonOr(text) }),
        )
      })
      request.end(body)
    })
  }

  /** Has a pod reviewed. @throws Error where the answer is none to this review */
  async review(
    port: number,
    object: unknown,
    more: Readonly<Record<string, unknown>> = {},
    agent?: https.Agent,
  ) {
    const review = reviewOf(object, more)
    const answer = await this.ask(port, {
      body: JSON.stringify(review),
      ...(agent === undefined ? {} : { agent }),
    })
    if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`)
    return readResponse(answer.body, object)
  }

  /**
   * Opens TLS as the API server does, and closes it.
   * @param ca whom it trusts
   * @returns the serial number of the certificate
   */
  handshake(port: number, ca = this.caBundle): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = tls.connect({ host: '127.0.0.1', port, ca, servername: SERVER_NAME }, () => {
        resolve(socket.getPeerX509Certificate()?.serialNumber ?? '')
        socket.end()
      })
      socket.on('error', reject)
      socket.resume()
    })
  }

  async close(): Promise<void> {
    await this.api.close()
    rmSync(this.serviceAccount, { recursive: true, force: true })
    this.#certificates.remove()
  }
}

/** A review as the API server writes it; `more` goes into its request. */
export function reviewOf(object: unknown, more: Readonly<Record<string, unknown>> = {}) {
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      namespace: 'shop',
      operation: 'CREATE',
      userInfo: { username: 'system:serviceaccount:kube-system:replicaset-controller' },
      object,
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      ...more,
    },
  }
}

/** Reads an answer to a review, and applies its patch as the API server does. */
export function readResponse(body: unknown, object: unknown): ReviewResponse {
  const response = isObject(body) && isObject(body['response']) ? body['response'] : {}
  const { uid, allowed, patch, patchType } = response
  if (typeof uid !== 'string' || typeof allowed !== 'boolean') throw new Error(JSON.stringify(body))
  if ((patch === undefined) !== (patchType === undefined)) throw new Error('patch and patchType go together')
  if (patchType !== undefined && patchType !== 'JSONPatch') throw new Error('patchType is not JSONPatch')
  const steps: unknown = typeof patch === 'string' ? JSON.parse(Buffer.from(patch, 'base64').toString()) : []
  return {
    uid,
    allowed,
    warnings: listOf(response['warnings']).map(String),
    // Texts by name, as the API asks for.
    audit: (response['auditAnnotations'] ?? {}) as Record<string, string>,
    object: jsonPatch(object, steps),
    isPatched: patch !== undefined,
  }
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
