import { once } from 'node:events'
import http from 'node:http'

/** What a page shows. */
export interface Page {
  readonly status: number
  readonly url: string
  readonly headers: Headers
  readonly text: string
}

const NAVIGATION = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', accept: 'text/html' }

/** As much of a browser as a login needs: cookies by host, redirects, forms. It shows all that goes over the wire. */
export class CookieBrowser {
  /** By host name, as browsers do: ports do not keep cookies apart. */
  readonly jars = new Map<string, Map<string, string>>()
  /** Every address that it asked, in order. */
  readonly visited: string[] = []

  /** The cookies of a host. */
  cookies(host: string): Map<string, string> {
    const jar = this.jars.get(host) ?? new Map<string, string>()
    this.jars.set(host, jar)
    return jar
  }

  /** Asks one address, and follows nothing. */
  async ask(
    url: string,
    options: { headers?: Record<string, string>; form?: URLSearchParams } = {},
  ): Promise<Page> {
    const { hostname } = new URL(url)
    const jar = this.cookies(hostname)
    this.visited.push(url)
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const body = options.form?.toString() ?? ''
    const type = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length }
    // `fetch` would say by itself that it is no navigation.
    const sent = http.request(url, {
      agent: false,
      method: options.form === undefined ? 'GET' : 'POST',
      headers: {
        ...(options.headers ?? NAVIGATION),
        ...(cookie === '' ? {} : { cookie }),
        ...(options.form === undefined ? {} : type),
      },
    })
    sent.end(body)
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage] // as the event says
    let text = ''
    for await (const part of response) text += String(part)
    for (const line of response.headers['set-cookie'] ?? []) this.#keep(jar, line)
    return { status: response.statusCode ?? 0, url, headers: headersOf(response), text }
  }

  /** Opens an address, and goes wherever it leads. */
  async open(url: string): Promise<Page> {
    let page = await this.ask(url)
    for (let hops = 0; page.headers.get('location') !== null; hops++) {
      if (hops > 20) throw new Error(`a circle: ${this.visited.slice(-4).join(' ')}`)
      page = await this.ask(new URL(page.headers.get('location') ?? '', page.url).href)
    }
    return page
  }

  /** Sends the form of a page, with what it holds and these; then goes wherever that leads. */
  async submit(page: Page, fields: Readonly<Record<string, string>> = {}): Promise<Page> {
    const action = /<form[^>]*action="([^"]+)"/.exec(page.text)?.[1]
    if (action === undefined) throw new Error(`there is no form at ${page.url}: ${page.text.slice(0, 200)}`)
    const form = new URLSearchParams(fields)
    for (const [, name = '', value = ''] of page.text.matchAll(
      /<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"/g,
    ))
      form.set(name, value)
    const sent = await this.ask(new URL(action, page.url).href, { form })
    const location = sent.headers.get('location')
    return location === null ? sent : this.open(new URL(location, sent.url).href)
  }

  /** Opens an address behind a login, and logs in. */
  async logIn(url: string, name: string): Promise<Page> {
    let page = await this.open(url)
    page = await this.submit(page, { login: name, password: 'x' })
    return page.text.includes('<form') ? this.submit(page) : page
  }

  #keep(jar: Map<string, string>, line: string): void {
    const [pair = '', ...attributes] = line.split(';').map(part => part.trim())
    const equals = pair.indexOf('=')
    const name = pair.slice(0, equals)
    const flags = new Set(attributes.map(one => one.toLowerCase()))
    // RFC 6265bis section 4.1.3.2: another cookie of such a name is not kept.
    if (
      name.startsWith('__Host-') &&
      !(flags.has('secure') && flags.has('path=/') && !/;\s*domain=/i.test(line))
    )
      throw new Error(`no browser keeps this: ${line}`)
    const gone =
      flags.has('max-age=0') ||
      attributes.some(one => /^expires=/i.test(one) && Date.parse(one.slice(8)) <= Date.now())
    if (gone) jar.delete(name)
    else jar.set(name, pair.slice(equals + 1))
  }
}

function headersOf({ rawHeaders }: http.IncomingMessage): Headers {
  const headers = new Headers()
  for (let i = 0; i < rawHeaders.length; i += 2) headers.append(rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '')
  return headers
}
