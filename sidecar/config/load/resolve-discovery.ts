import { dirname, resolve } from 'node:path'
import type { KubernetesSpec } from '../../upstream/upstream-spec.ts'
import type { WrittenDiscovery } from './discovery-schema.ts'
import type { ConfigPath, Resolution } from './resolution.ts'

/** How endpoints are found, defaults filled in. The files it names are read when they are needed, and not here. */
export function resolveDiscovery(
  { kubernetes }: WrittenDiscovery,
  path: ConfigPath,
  resolution: Resolution,
): KubernetesSpec {
  const { service, namespace = '', port = null, api } = kubernetes
  const at = [...path, 'kubernetes', 'api']
  if (api?.token !== undefined && resolution.secrets && !isSecret(api.url)) {
    resolution.fault(
      [...at, 'token'],
      'a token goes over https only, or to this machine',
      'write the URL with https://',
    )
  }
  return {
    service,
    namespace,
    port,
    api:
      api === undefined
        ? null
        : {
            url: api.url,
            caFile: fileAt(api.ca, [...at, 'ca'], resolution),
            tokenFile: fileAt(api.token, [...at, 'token'], resolution),
          },
  }
}

function isSecret(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'https:' || /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(hostname)
}

/** A file's name from the file that names it. */
function fileAt(name: string | undefined, path: ConfigPath, resolution: Resolution): string | null {
  if (name === undefined) return null
  const from = resolution.fileOf(path)
  return resolve(from === undefined ? '.' : dirname(from), name)
}
