import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair } from 'jose'
import { Provider } from 'oidc-provider'

/** Who we are to it. */
export const CLIENT = { id: 'shop-web', secret: 'a secret of the client: &%+' } as const

/** A real identity provider on this machine: whoever logs in under a name is it, in the group that is called so. */
export class OpenIdProvider {
  /** Requests that came, as `POST /token`. */
  readonly asked: string[] = []
  /** Who logs in without being asked: its pages send their forms by themselves. Empty: they wait for somebody. */
  hurried = ''
  /** Whether it answers at all; `busy`: it asks to be left alone for a while. */
  mode: 'up' | 'failing' | 'busy' = 'up'
  readonly #server: http.Server
  #callback: http.RequestListener = () => {}
  #keys = 0

  private constructor() {
    this.#server = http.createServer((request, response) => {
      this.asked.push(`${request.method} ${request.url?.split('?', 1)[0]}`)
      if (this.mode === 'failing') response.writeHead(500).end('{}')
      else if (this.mode === 'busy')
        response.writeHead(429, { 'content-type': 'application/json' }).end('{"error":"slow_down"}')
      else this.#callback(request, response)
    })
  }

  static async start(): Promise<OpenIdProvider> {
    const started = new OpenIdProvider()
    started.#server.listen(0, '127.0.0.1')
    await once(started.#server, 'listening')
    return started
  }

  /**
   * Lets a service at this origin log its browsers in.
   * Called again, it signs with another key.
   * @param tokenSeconds how long an access token is good for
   * @param lean whether ID tokens say no more than who it is, and the rest stands at the userinfo endpoint
   */
  async admit(origin: string, { tokenSeconds = 3600, lean = false } = {}): Promise<void> {
    const { privateKey } = await generateKeyPair('RS256', { extractable: true })
    const provider = new Provider(this.issuer, {
      clients: [
        {
          client_id: CLIENT.id,
          client_secret: CLIENT.secret,
          redirect_uris: [`${origin}/oidc/callback`],
          post_logout_redirect_uris: [`${origin}/bye`],
          grant_types: ['authorization_code', 'refresh_token'],
          response_types: ['code'],
          application_type: 'native',
        },
      ],
      jwks: {
        keys: [{ ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig', kid: `key-${++this.#keys}` }],
      },
      cookies: { keys: ['a key of the provider'] },
      pkce: { required: () => true },
      claims: { openid: ['sub'], profile: ['name', 'roles'] },
      conformIdTokenClaims: lean,
      rotateRefreshToken: true,
      issueRefreshToken: async () => true,
      ttl: { AccessToken: tokenSeconds, IdToken: 3600, Grant: 86_400, Session: 86_400, Interaction: 600 },
      features: { revocation: { enabled: true } },
      findAccount: (_context, id) => ({
        accountId: id,
        claims: () => ({ sub: id, name: `Name of ${id}`, roles: [id, 'user'] }),
      }),
    })
    const callback = provider.callback()
    this.#callback = (request, response) => {
      if (this.hurried === '' || request.method !== 'GET' || !request.url?.startsWith('/interaction/'))
        return void callback(request, response)
      const { hurried } = this
      const { url } = request
      void provider.interactionDetails(request, response).then(({ prompt }) => {
        const fields = Object.entries({ prompt: prompt.name, login: hurried, password: 'x' })
        const inputs = fields.map(([name, value]) => `<input name="${name}" value="${value}">`)
        response.setHeader('content-type', 'text/html')
        response.end(
          `<!doctype html><form method="post" action="${url}">${inputs.join('')}</form><script>document.forms[0].submit()</script>`,
        )
      })
    }
  }

  get issuer(): string {
    // It listens on a TCP port.
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
