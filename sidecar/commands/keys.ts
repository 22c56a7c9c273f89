import { hash, randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import type { Command, CommandOutput } from './command.ts'

/** `outrigger keys`: API keys and the digests that a configuration holds of them. */
export const keys: Command = {
  name: 'keys',
  summary: 'make an API key, with the digest that stands in the configuration',
  help: `Usage: outrigger keys new [--prefix TEXT] [--expires DATE]
       outrigger keys digest < FILE

new      prints a key of 256 random bits, for whoever calls, and its entry for \`consumers[].apiKeys\`. The key is
         shown once: the configuration holds the digest, from which nobody can tell it.
digest   reads a key or a password from standard input and prints its SHA-256 digest

  --prefix TEXT    what the key begins with, so that people and scanners know it when they see it (og_)
  --expires DATE   for the entry: from this day on (UTC) the key is not accepted
`,
  run,
}

async function run(args: string[], io: CommandOutput): Promise<number> {
  const options = parse(args)
  if (typeof options === 'string') {
    io.stderr(`outrigger keys: ${options}; see outrigger keys --help\n`)
    return 2
  }
  if (options.action === 'digest') {
    const text = (await readInput()).replace(/\r?\n$/, '')
    if (text === '') {
      io.stderr('outrigger keys: there is nothing on standard input\n')
      return 2
    }
    io.stdout(`${hash('sha256', text)}\n`)
    return 0
  }
  const key = options.prefix + randomBytes(32).toString('base64url')
  const expires = options.expires === undefined ? '' : `, expires: ${options.expires}`
  io.stdout(`key    ${key}\nentry  apiKeys: [{ sha256: ${hash('sha256', key)}${expires} }]\n`)
  return 0
}

function parse(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { prefix: { type: 'string' }, expires: { type: 'string' } },
    })
    const [action, ...more] = positionals
    if ((action !== 'new' && action !== 'digest') || more.length > 0) return 'expected `new` or `digest`'
    const { prefix = 'og_', expires } = values
    if (!/^[A-Za-z0-9_-]{0,32}$/.test(prefix)) return 'a prefix is letters, digits, `_` and `-`, at most 32'
    if (expires !== undefined && !(/^\d{4}-\d\d-\d\d$/.test(expires) && !Number.isNaN(Date.parse(expires))))
      return `${expires} is no date such as 2027-01-01`
    if (expires !== undefined && Date.parse(expires) <= Date.now())
      return `${expires} has begun: such a key would never be accepted`
    return { action, prefix, expires }
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? error.message) : String(error)
  }
}

async function readInput(): Promise<string> {
  let text = ''
  process.stdin.setEncoding('utf8')
  for await (const chunk of process.stdin) {
    text += String(chunk)
    if (text.length > 4096) break
  }
  return text
}
