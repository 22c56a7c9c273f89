import type { TestContext } from 'node:test'
import { CookieBrowser } from './cookie-browser.ts'
import { guarded, withGuard } from './guarded.ts'
import { CLIENT, OpenIdProvider } from './openid-provider.ts'

const SESSION_SECRET = 'a secret for the cookies of sessions, long enough'

/** A proxy whose routes ask for a login at a real issuer, and a browser. `yaml`: its configuration. All end with the test. */
export async function loginFixture(
  t: TestContext,
  more: {
    session?: string
    authenticate?: string
    provider?: string
    tokenSeconds?: number
    lean?: boolean
    top?: string
  } = {},
) {
  const issuer = await OpenIdProvider.start()
  t.after(() => issuer.stop())
  const config = (session: string) => ({
    authenticate: more.authenticate ?? '{ oidc: login }',
    authentication: `oidc: { login: { issuer: "${issuer.issuer}", clientId: ${CLIENT.id}, clientSecret: "${CLIENT.secret}", scopes: [openid, profile], logout: /logout, afterLogout: /bye, groups: roles, claimHeaders: { x-name: name }, session: { ${session} }, ${more.provider ?? ''} } }`,
    top: more.top ?? '',
  })
  const settings = config(more.session ?? `secret: "${SESSION_SECRET}"`)
  const { sink, proxy } = await withGuard(t, settings)
  const origin = `http://127.0.0.1:${proxy.port()}`
  const { tokenSeconds = 3600, lean = false } = more
  await issuer.admit(origin, { tokenSeconds, lean })
  return { issuer, sink, proxy, origin, browser: new CookieBrowser(), yaml: guarded(sink.port, settings) }
}
