import type { ApiClient } from '../../sidecar/kubernetes/api-client.ts'
import { isObject, listOf, metaOf } from '../../sidecar/kubernetes/api-object.ts'

/** A webhook configuration as it was read. */
export interface ReadBundles {
  readonly resourceVersion: string
  /** PEM, one for each webhook in it; empty where there is none yet. */
  readonly bundles: readonly string[]
}

/** The `caBundle` of the MutatingWebhookConfiguration: by which the API server knows us. */
export class CaBundle {
  readonly #api: Pick<ApiClient, 'get' | 'patch'>
  readonly #path: string
  readonly #name: string

  constructor(api: Pick<ApiClient, 'get' | 'patch'>, name: string) {
    this.#api = api
    this.#name = name
    this.#path = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${name}`
  }

  /** @returns what stands there, or why it cannot be read */
  async read(): Promise<ReadBundles | string> {
    const { status, body, error } = await this.#api.get(this.#path)
    if (status === 404) return `there is no MutatingWebhookConfiguration ${this.#name}`
    if (error !== '') return error
    const webhooks = listOf(isObject(body) ? body['webhooks'] : null)
    if (webhooks.length === 0) return `the MutatingWebhookConfiguration ${this.#name} has no webhook`
    return { resourceVersion: metaOf(body).resourceVersion, bundles: webhooks.map(bundleIn) }
  }

  /**
   * Writes the bundle where nobody has changed the configuration since it was read: who read an older Secret than
   * another replica must not undo what that one wrote.
   * @returns null where it is done, `conflict` where somebody was faster, or why it cannot be done
   */
  async write(before: ReadBundles, bundle: string): Promise<string | null> {
    const value = Buffer.from(bundle).toString('base64')
    const steps = [
      { op: 'test', path: '/metadata/resourceVersion', value: before.resourceVersion },
      ...before.bundles.map((_, index) => ({
        op: 'add',
        path: `/webhooks/${index}/clientConfig/caBundle`,
        value,
      })),
    ]
    const { status, error } = await this.#api.patch(this.#path, steps, 'json')
    // 422: a test that fails makes the patch one that cannot be applied.
    return error === '' ? null : status === 409 || status === 422 ? 'conflict' : error
  }
}

function bundleIn(webhook: unknown): string {
  const config = isObject(webhook) && isObject(webhook['clientConfig']) ? webhook['clientConfig'] : {}
  const bundle = config['caBundle']
  return typeof bundle === 'string' ? Buffer.from(bundle, 'base64').toString() : ''
}
