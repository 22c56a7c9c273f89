/*
 * Modules of Node that cost much to load. An ES import of one reads every export that it has, and one of those of
 * `node:http` loads the whole of undici: 16 MiB and 80 ms in each process, for nothing. These are loaded at their first use.
 */

/** Node's HTTP, for what is not the data path. */
export function nodeHttp() {
  return process.getBuiltinModule('node:http')
}

/** Node's TLS: 8 MiB that a process without TLS does not need. */
export function nodeTls() {
  return process.getBuiltinModule('node:tls')
}

/** Node's HTTPS, as its HTTP. */
export function nodeHttps() {
  return process.getBuiltinModule('node:https')
}
