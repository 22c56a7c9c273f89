import type { z } from 'zod'
import { scalar, text, Wrong } from './scalars.ts'
import { option, required, section, shorter } from './shape.ts'
import { fileName } from './tls-schema.ts'

/** RFC 1123: what Kubernetes calls Services, namespaces and ports by. */
const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/

function label(what: string, samples: readonly string[]) {
  return text(what, { samples }, 'name', (value, shown) =>
    LABEL.test(value)
      ? value
      : new Wrong(
          `${shown} is no name in Kubernetes: small letters, digits and \`-\`, at most 63`,
          shorterName(value),
        ),
  )
}

/** What stands for a name as DNS has it: `orders.shop.svc.cluster.local:80`. */
function shorterName(value: string): string | undefined {
  const [, name, namespace, at = ''] = /^([^.:]+)\.([^.:]+)\.svc(?:\.[^:]*)?(:[^:]+)?$/.exec(value) ?? []
  return name === undefined || namespace === undefined ? undefined : `write: ${name}.${namespace}${at}`
}

const port = scalar<string | number>(
  { type: ['string', 'integer'], samples: ['http', 8080] },
  1,
  (value, shown) => {
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
    if (typeof number === 'number')
      return Number.isInteger(number) && number >= 1 && number <= 65_535
        ? number
        : new Wrong(`expected a port from 1 to 65535, got ${shown}`)
    return typeof number === 'string' && LABEL.test(number)
      ? number
      : new Wrong(`expected the name or the number of a port, got ${shown}`)
  },
)

const apiUrl = text(
  'a URL',
  { format: 'uri', pattern: '^https?://' },
  'https://localhost',
  (value, shown) => {
    const parsed = URL.parse(value)
    if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.hostname === '')
      return new Wrong(`expected an http or https URL, got ${shown}`)
    if (parsed.username !== '' || parsed.password !== '')
      return new Wrong('a URL cannot hold a user or a password here', 'name a file with `token`')
    if (/[?#]/.test(value)) return new Wrong(`${shown}: a URL ends before \`?\` and \`#\` here`)
    return value.replace(/\/+$/, '')
  },
)

const api = shorter(
  value => (typeof value === 'string' ? { url: value } : value),
  section('an API server', {
    url: required(apiUrl, 'where it is: `https://10.96.0.1:443`'),
    ca: option(fileName, "the authorities of its certificate, PEM. Default: the system's"),
    token: option(fileName, 'the file that holds our token; read for each request, since tokens are renewed'),
  }),
  [apiUrl],
)

const service = section('a Service of Kubernetes', {
  service: required(label('the name of a Service', ['orders']), 'its name'),
  namespace: option(label('a namespace', ['shop']), 'where it is. Default: where this process runs'),
  port: option(
    port,
    "the name of a port of the Service, or a port's number at the pods. Default: the only one there is",
  ),
  api: option(
    api,
    'the API server to ask, a URL or a map. Default: that of the cluster in which this process is a pod',
  ),
})

/** `orders`, `orders.shop` and `orders.shop:http` are maps in one word. */
function expandService(value: unknown): unknown {
  if (typeof value !== 'string') return value
  const [, name = '', namespace, at] = /^([^.:]*)(?:\.([^.:]*))?(?::([^.:]*))?$/.exec(value) ?? []
  // What is written otherwise is no name, which is said of the whole.
  if (name === '') return { service: value }
  return {
    service: name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(at === undefined ? {} : { port: at }),
  }
}

/** How the endpoints of an upstream are found, where they are not written. */
export const discovery = section('discovery', {
  kubernetes: required(
    shorter(expandService, service, [{ type: 'string', examples: ['orders', 'orders.shop:http'] }]),
    'a Service, whose EndpointSlices are watched: `orders.shop:http`, or a map',
  ),
})
/** As it is written, after the schema has read it. */
export type WrittenDiscovery = z.infer<typeof discovery>
