import assert from 'node:assert/strict'
import type http from 'node:http'
import { test } from 'node:test'
import { Browser } from '../harness/browser.ts'
import { guarded } from '../harness/guarded.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { InProcess } from '../harness/in-process.ts'
import { needs } from '../harness/needs.ts'
import { CLIENT, OpenIdProvider } from '../harness/openid-provider.ts'

/** What the page does: asks as scripts do while it is logged in, logs out, and asks again. */
const PAGE = `<!doctype html><script>
  const ask = path => fetch(path, { redirect: 'manual' }).then(answer => answer.status)
  const visible = document.cookie
  ;(async () => {
    const known = await ask('/data')
    const out = await ask('/logout')
    const after = await ask('/data')
    await fetch('/open/result', { method: 'POST', body: JSON.stringify({ known, out, after, visible }) })
  })()
</script>`

test(
  'Chromium logs in, keeps the session, and is nobody after the logout',
  needs('chromium-headless-shell'),
  async t => {
    const seen: http.IncomingHttpHeaders[] = []
    let tell: (result: unknown) => void = () => {}
    const result = new Promise(resolve => (tell = resolve))
    const service = await HttpUpstream.listen((request, response) => {
      seen.push(request.headers)
      if (request.url === '/open/result') {
        let text = ''
        request.setEncoding('utf8').on('data', (piece: string) => (text += piece))
        request.on('end', () => {
          response.end()
          tell(JSON.parse(text))
        })
      } else response.setHeader('content-type', 'text/html').end(PAGE)
    })
    const issuer = await OpenIdProvider.start()
    issuer.hurried = 'alice'
    const proxy = await InProcess.start(
      guarded(service.port, {
        authenticate: '{ oidc: login }',
        authentication: `oidc: { login: { issuer: "${issuer.issuer}", clientId: ${CLIENT.id}, clientSecret: "${CLIENT.secret}", logout: /logout, session: { secret: "a secret for the cookies of sessions, long enough" } } }`,
      }),
    )
    const origin = `http://127.0.0.1:${proxy.port()}`
    await issuer.admit(origin)
    const browser = new Browser(`${origin}/start?x=1`)
    t.after(async () => {
      await browser.close()
      await service.close()
      await issuer.stop()
      await proxy.stop()
    })
    // Of a redirect a script sees nothing but that there was one.
    assert.deepEqual(await result, { known: 200, out: 0, after: 401, visible: '' })
    const known = seen.filter(headers => headers['x-consumer-name'] !== undefined)
    assert.deepEqual(new Set(known.map(headers => headers['x-consumer-name'])), new Set(['login/alice']))
    assert.ok(!JSON.stringify(seen).includes('__Host-og'))
  },
)
