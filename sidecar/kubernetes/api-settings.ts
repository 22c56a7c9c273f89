import path from 'node:path'

/** Where the API server is, and who we are there. */
export interface ApiSettings {
  /** `https://10.96.0.1:443`; a path behind it is put in front of every request's. */
  readonly url: string
  /** The file of the authorities of its certificate; null: the system's. */
  readonly caFile: string | null
  /** The file of our token; null: none is sent. It is read for each request, since tokens are renewed in place. */
  readonly tokenFile: string | null
  /** The namespace we run in; empty: not known. */
  readonly namespaceFile: string | null
}

/** Where a pod finds its service account. */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/**
 * What a pod is given to reach its API server.
 * @param folder where the service account is mounted
 * @returns null outside of a pod: `KUBERNETES_SERVICE_HOST` is not set
 */
export function inClusterSettings(
  env: Readonly<Record<string, string | undefined>>,
  folder: string = SERVICE_ACCOUNT,
): ApiSettings | null {
  const host = env['KUBERNETES_SERVICE_HOST'] ?? ''
  if (host === '') return null
  const port = env['KUBERNETES_SERVICE_PORT'] ?? '443'
  return {
    url: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    caFile: path.join(folder, 'ca.crt'),
    tokenFile: path.join(folder, 'token'),
    namespaceFile: path.join(folder, 'namespace'),
  }
}
