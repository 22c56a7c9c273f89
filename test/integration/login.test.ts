import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CookieBrowser } from '../harness/cookie-browser.ts'
import { CLIENT } from '../harness/openid-provider.ts'
import { loginFixture } from '../harness/login-fixture.ts'
import { reasonOf } from '../harness/problem.ts'

const COOKIE = '__Host-og~login'

test('a browser logs in, comes back to where it was, and is known from then on', async t => {
  const { issuer, sink, proxy, origin, browser } = await loginFixture(t)
  const first = await browser.ask(`${origin}/a/page?x=1&y=%20`)
  assert.equal(first.status, 302)
  assert.equal(first.headers.get('cache-control'), 'no-store')
  const asked = new URL(first.headers.get('location') ?? '')
  assert.equal(asked.origin, issuer.issuer)
  const { searchParams } = asked
  assert.deepEqual(
    ['response_type', 'code_challenge_method', 'redirect_uri', 'client_id'].map(name =>
      searchParams.get(name),
    ),
    ['code', 'S256', `${origin}/oidc/callback`, CLIENT.id],
  )
  for (const name of ['state', 'nonce', 'code_challenge'])
    assert.ok((searchParams.get(name) ?? '').length >= 43)
  assert.deepEqual(sink.requestsSeen(), [])

  const page = await browser.logIn(`${origin}/a/page?x=1&y=%20`, 'alice')
  assert.deepEqual([page.status, page.url], [200, `${origin}/a/page?x=1&y=%20`])
  assert.equal((await browser.open(`${origin}/other`)).status, 200)
  const seen = sink.requestsSeen()
  assert.deepEqual(
    seen.map(({ headers }) => [headers['x-consumer-name'], headers['x-consumer-groups'], headers['x-name']]),
    Array.from({ length: 2 }, () => ['login/alice', 'alice,user', 'Name of alice']),
  )
  // The session is ours, and nobody else's to see.
  for (const { headers } of seen) assert.ok(!JSON.stringify(headers).includes('__Host-og'))
  const cookie = browser.cookies('127.0.0.1').get(COOKIE) ?? ''
  assert.match(cookie, /^1~eyJ/)
  // Of the two logins one came back, and its cookie is gone.
  const names = [...browser.cookies('127.0.0.1').keys()]
  assert.equal(names.filter(name => name.startsWith('__Host-og-login~')).length, 1)
  const log = JSON.stringify([proxy.access, proxy.errors])
  for (const secret of [cookie.slice(2), CLIENT.secret, searchParams.get('nonce') ?? '-'])
    assert.ok(!log.includes(secret))
  // What a browser does not show is not sent anywhere.
  await proxy.accessLine(line => line['consumer'] === 'login/alice')
})

test('what is no navigation hears 401', async t => {
  const { origin, browser, issuer } = await loginFixture(t)
  for (const headers of [
    { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', accept: 'text/html' },
    { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe', accept: 'text/html' },
    { accept: 'application/json' },
    { accept: 'text/html', 'x-requested-with': 'XMLHttpRequest' },
  ]) {
    const page = await browser.ask(`${origin}/x`, { headers })
    assert.equal(page.status, 401, JSON.stringify(headers))
    assert.match(page.headers.get('www-authenticate') ?? '', /^Session/)
  }
  assert.equal((await browser.ask(`${origin}/x`, { form: new URLSearchParams() })).status, 401)
  assert.deepEqual(issuer.asked, [])
  assert.equal((await browser.ask(`${origin}/x`, { headers: { accept: 'text/html' } })).status, 302)
})

/** Logs in up to the callback, which is not asked. */
async function toCallback(browser: CookieBrowser, url: string, name: string): Promise<URL> {
  const stopped = new CookieBrowser()
  for (const [host, jar] of browser.jars) stopped.jars.set(host, jar)
  let next: string | null = url
  for (let hops = 0; hops < 20 && next !== null; hops++) {
    if (next.includes('/oidc/callback')) return new URL(next)
    let page = await stopped.ask(next)
    while (page.headers.get('location') === null) {
      const action = /<form[^>]*action="([^"]+)"/.exec(page.text)?.[1]
      if (action === undefined) throw new Error(`neither a form nor a way: ${page.status} ${page.url}`)
      const prompt = /name="prompt" value="(\w+)"/.exec(page.text)?.[1] ?? ''
      const form = new URLSearchParams({ prompt, login: name, password: 'x' })
      page = await stopped.ask(new URL(action, page.url).href, { form })
    }
    next = new URL(page.headers.get('location') ?? '', page.url).href
    for (const [host, jar] of stopped.jars) browser.jars.set(host, jar)
  }
  throw new Error('it never came back')
}

test('row 59: each value of a login is of one login, one browser, and one use', async t => {
  const { origin, browser, issuer, sink } = await loginFixture(t)
  const callback = await toCallback(browser, `${origin}/x`, 'alice')
  assert.deepEqual([...callback.searchParams.keys()].toSorted(), ['code', 'iss', 'state'])
  const other = new CookieBrowser()
  const refused = async (who: CookieBrowser, url: URL, why: string) => {
    const tokens = issuer.asked.filter(one => one === 'POST /token').length
    const page = await who.ask(url.href)
    assert.equal(page.status, 401, why)
    assert.equal(who.cookies('127.0.0.1').get(COOKIE), undefined, why)
    return issuer.asked.filter(one => one === 'POST /token').length - tokens
  }
  const changed = (name: string, value: string | null): URL => {
    const url = new URL(callback)
    if (value === null) url.searchParams.delete(name)
    else url.searchParams.set(name, value)
    return url
  }
  assert.equal(await refused(other, callback, 'another browser'), 0)
  assert.equal(await refused(browser, changed('state', null), 'no state'), 0)
  assert.equal(await refused(browser, changed('state', 'x'.repeat(43)), 'another state'), 0)
  const kept = new Map(browser.cookies('127.0.0.1'))
  const again = (): void => void browser.jars.set('127.0.0.1', new Map(kept))
  // Another issuer's name, or none where it says that it gives one: never a code for a token (RFC 9207).
  const mixed = await toCallback(browser, `${origin}/x`, 'alice')
  mixed.searchParams.set('iss', 'https://evil.example')
  assert.equal(await refused(browser, mixed, 'another issuer'), 0)
  again()
  // The login of another tab, with its own state and our code.
  const second = await toCallback(browser, `${origin}/y`, 'alice')
  second.searchParams.set('code', callback.searchParams.get('code') ?? '')
  assert.equal(await refused(browser, second, "another login's code"), 1)
  assert.deepEqual(sink.requestsSeen(), [])
  const third = await toCallback(browser, `${origin}/z`, 'alice')
  const before = new Map(browser.cookies('127.0.0.1'))
  const done = await browser.ask(third.href)
  assert.deepEqual([done.status, done.headers.get('location')], [303, '/z'])
  const thief = new CookieBrowser()
  thief.jars.set('127.0.0.1', before)
  assert.equal(await refused(thief, third, 'a second time'), 0)
})

test('row 60: it comes back to this origin, with a session of its own', async t => {
  const { origin, browser } = await loginFixture(t)
  for (const path of ['//evil.example/x', '/\\evil.example', '/%5Cevil.example', '/%2F/evil.example']) {
    const one = new CookieBrowser()
    const callback = await toCallback(one, origin + path, 'alice').catch(() => null)
    if (callback === null) continue
    const location = (await one.ask(callback.href)).headers.get('location') ?? ''
    assert.equal(new URL(location, origin).origin, origin, path)
    assert.match(location, /^\/(?![/\\])/)
  }
  // A cookie that somebody put there before is not taken over, nor one that somebody made.
  browser.cookies('127.0.0.1').set(COOKIE, '1~eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAA.AAAA.AAAA')
  assert.equal((await browser.ask(`${origin}/x`)).status, 302)
  assert.equal(browser.cookies('127.0.0.1').has(COOKIE), false)
  await browser.logIn(`${origin}/x`, 'alice')
  const alice = browser.cookies('127.0.0.1').get(COOKIE) ?? ''
  const again = new CookieBrowser()
  again.cookies('127.0.0.1').set(COOKIE, alice)
  await again.ask(`${origin}/logout`)
  await again.logIn(`${origin}/x`, 'bob')
  assert.notEqual(again.cookies('127.0.0.1').get(COOKIE), alice)
})

test('logout ends the session here and at the issuer, and its cookie is good for nothing any more', async t => {
  const { origin, browser, issuer } = await loginFixture(t)
  await browser.logIn(`${origin}/x`, 'alice')
  const stolen = browser.cookies('127.0.0.1').get(COOKIE) ?? ''
  // Not because another site says so.
  const foreign = await browser.ask(`${origin}/logout`, { headers: { 'sec-fetch-site': 'cross-site' } })
  assert.equal(foreign.status, 403)
  assert.ok(browser.cookies('127.0.0.1').has(COOKIE))
  const page = await browser.ask(`${origin}/logout`)
  assert.equal(page.status, 303)
  const end = new URL(page.headers.get('location') ?? '')
  assert.equal(end.origin, issuer.issuer)
  assert.equal(end.searchParams.get('post_logout_redirect_uri'), `${origin}/bye`)
  assert.ok(end.searchParams.has('id_token_hint'))
  assert.equal(browser.cookies('127.0.0.1').has(COOKIE), false)
  const thief = new CookieBrowser()
  thief.cookies('127.0.0.1').set(COOKIE, stolen)
  assert.equal((await thief.ask(`${origin}/x`, { headers: { accept: '*/*' } })).status, 401)
  assert.equal((await browser.ask(`${origin}/x`)).status, 302)
})

test('without the issuer nobody logs in, and who is logged in stays so', async t => {
  const { origin, browser, issuer, proxy } = await loginFixture(t)
  issuer.mode = 'failing'
  const page = await browser.ask(`${origin}/x`)
  assert.equal(page.status, 503)
  const began = performance.now()
  issuer.mode = 'up'
  await proxy.until('another try', () => performance.now() - began > 1_050)
  await browser.logIn(`${origin}/x`, 'alice')
  issuer.mode = 'failing'
  assert.equal((await browser.open(`${origin}/x`)).status, 200)
  await issuer.stop()
  assert.equal((await browser.open(`${origin}/x`)).status, 200)
})

test('a token that ends is refreshed once, however many ask; where the issuer refuses, the session is over', async t => {
  const { origin, browser, issuer } = await loginFixture(t, { tokenSeconds: 1 })
  await browser.logIn(`${origin}/x`, 'alice')
  const tokens = () => issuer.asked.filter(one => one === 'POST /token').length
  assert.equal(tokens(), 1)
  await new Promise(resolve => setTimeout(resolve, 1_100))
  const old = browser.cookies('127.0.0.1').get(COOKIE)
  const pages = await Promise.all(Array.from({ length: 8 }, () => browser.ask(`${origin}/x`)))
  for (const page of pages) assert.equal(page.status, 200)
  assert.equal(tokens(), 2)
  assert.notEqual(browser.cookies('127.0.0.1').get(COOKIE), old)
  // The issuer forgets everything.
  await issuer.admit(origin, { tokenSeconds: 1 })
  await new Promise(resolve => setTimeout(resolve, 1_100))
  assert.equal((await browser.ask(`${origin}/x`, { headers: { accept: '*/*' } })).status, 401)
})

test('a session goes to no service, on whatever route', async t => {
  const { origin, browser, sink } = await loginFixture(t)
  await browser.logIn(`${origin}/x`, 'alice')
  browser.cookies('127.0.0.1').set('mine', 'yes')
  assert.equal((await browser.ask(`${origin}/open/x`)).status, 200)
  assert.equal((await browser.ask(`${origin}/x`)).status, 200)
  const [open, guarded] = sink.requestsSeen().slice(-2)
  assert.deepEqual([open?.headers['cookie'], guarded?.headers['cookie']], ['mine=yes', 'mine=yes'])
})

test('an issuer that has too much to do refuses nobody: who is logged in stays so', async t => {
  const { origin, browser, issuer } = await loginFixture(t, { tokenSeconds: 1 })
  await browser.logIn(`${origin}/x`, 'alice')
  issuer.mode = 'busy'
  await new Promise(resolve => setTimeout(resolve, 1_100))
  const asked = issuer.asked.length
  assert.equal((await browser.ask(`${origin}/x`)).status, 200)
  assert.ok(issuer.asked.length > asked)
  assert.equal((await browser.ask(`${origin}/x`)).status, 200)
})

test('a session is of one host, ends when nobody uses it, and is read with an older secret', async t => {
  const { origin, browser, proxy } = await loginFixture(t)
  await browser.logIn(`${origin}/x`, 'alice')
  const cookie = `${COOKIE}=${browser.cookies('127.0.0.1').get(COOKIE)}`
  const elsewhere = await proxy.ask(`GET /x HTTP/1.1\r\nhost: other.example\r\ncookie: ${cookie}\r\n\r\n`)
  assert.equal(reasonOf(elsewhere), 'credentials_invalid')
})

test('a response with a session in it is kept by no cache on the way, whatever the service said', async t => {
  const { origin, browser, sink } = await loginFixture(t, {
    session: 'secret: "a secret for the cookies of sessions, long enough", idle: 2s',
  })
  await browser.logIn(`${origin}/x`, 'alice')
  sink.replyAlways(
    'HTTP/1.1 200 OK\r\ncache-control: public, max-age=600\r\nexpires: Fri, 01 Jan 2100 00:00:00 GMT\r\n' +
      'cdn-cache-control: max-age=600\r\nsurrogate-control: max-age=600\r\ncontent-length: 2\r\n\r\nok',
  )
  const before = browser.cookies('127.0.0.1').get(COOKIE)
  const fields = async (): Promise<(string | null)[]> => {
    const { headers } = await browser.ask(`${origin}/x`)
    return ['cache-control', 'cdn-cache-control', 'surrogate-control'].map(name => headers.get(name))
  }
  assert.deepEqual(await fields(), ['public, max-age=600', 'max-age=600', 'max-age=600'])
  // A quarter of the idle time: the cookie is written anew.
  await new Promise(resolve => setTimeout(resolve, 600))
  assert.deepEqual(await fields(), ['no-store', null, null])
  assert.notEqual(browser.cookies('127.0.0.1').get(COOKIE), before)
})
