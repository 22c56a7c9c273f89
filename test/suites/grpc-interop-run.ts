// node grpc-interop-run.ts FOLDER [HOST:PORT]: the interop cases of grpc-node's checkout. Without an address it serves them on a port of
// 127.0.0.1 that it prints; with one it runs every case that needs no account against it, and prints `ok` or `FAILED` for each.
// Processes of their own, because the suite asserts in callbacks.
import { createRequire, registerHooks } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import * as grpc from '@grpc/grpc-js'

/** The two packages of the repository, which its checkout would have to build, are the published ones. */
const PACKAGES: Readonly<Record<string, string>> = {
  'packages/grpc-js': '@grpc/grpc-js',
  'packages/proto-loader': '@grpc/proto-loader',
}
/** Needed by the cases alone that are left out; anything stands for it. */
const ACCOUNTS = 'google-auth-library'
const NEEDS_ACCOUNT = /creds|oauth2|jwt_token|compute_engine|per_rpc/
const CASE_MS = 20_000

interface Server {
  getServer(port: string, tls: boolean, done: (error: Error | null, made: { port: number }) => void): void
}
interface Client {
  readonly test_cases: Readonly<Record<string, unknown>>
  runTest(
    address: string,
    host: null,
    name: string,
    tls: boolean,
    testCa: boolean,
    done: (error?: Error | null) => void,
    extra: object,
  ): void
}

const [folder = '', address] = process.argv.slice(2)
registerHooks({
  resolve(specifier, context, next) {
    const published = Object.entries(PACKAGES).find(([end]) => specifier.endsWith(end))?.[1]
    if (published !== undefined) return next(fileURLToPath(import.meta.resolve(published)), context)
    return next(specifier === ACCOUNTS ? 'node:path' : specifier, context)
  },
})
// It looks for its definitions from there.
process.chdir(path.join(folder, 'test'))
const require = createRequire(path.join(process.cwd(), 'x.js'))
const load = (name: string): unknown => require(path.resolve('interop', name))

if (address === undefined) {
  // It would listen on every address of the machine.
  const bind = Reflect.get(grpc.Server.prototype, 'bindAsync') as (...all: unknown[]) => void // its own method
  grpc.Server.prototype.bindAsync = function (wanted, ...rest) {
    bind.call(this, wanted.replace('0.0.0.0', '127.0.0.1'), ...rest)
  }
  const suite = load('interop_server.js') as Server // as it is written
  suite.getServer('0', false, (error, made) => {
    if (error !== null) throw error
    console.log(`port ${made.port}`)
  })
} else {
  const suite = load('interop_client.js') as Client // as it is written
  for (const name of Object.keys(suite.test_cases).filter(one => !NEEDS_ACCOUNT.test(one))) {
    const problem = await new Promise<unknown>(resolve => {
      const timer = setTimeout(() => resolve('no end'), CASE_MS)
      const done = (error: unknown): void => {
        clearTimeout(timer)
        resolve(error)
      }
      process.removeAllListeners('uncaughtException').on('uncaughtException', done)
      suite.runTest(address, null, name, false, false, done, {})
    })
    const why = problem instanceof Error ? problem.message : String(problem)
    console.log(problem == null ? `ok ${name}` : `FAILED ${name}: ${why.replaceAll(/\s+/g, ' ')}`)
  }
  process.exit(0)
}
