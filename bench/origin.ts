import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { programPath } from '../test/harness/needs.ts'
import { freePort } from '../test/harness/free-port.ts'
import { LOAD_CORE, Program } from './program.ts'

/** The answer that the load asks for: 115 bytes of JSON. */
export const BODY =
  '{"id":"42","name":"a small answer","tags":["one","two","three"],"price":1299,"currency":"EUR","stock":7,"ok":true }'

/** The upstream of every contestant: nginx, one worker, answers from memory, connections kept without limit. */
export interface Origin {
  readonly program: Program
  readonly port: number
  /** Where it speaks HTTP/2 without TLS, and nothing else. */
  readonly streams: number
}

/**
 * Starts the origin in `folder`. `/` and everything below answers BODY, `/echo?n=TEXT` answers TEXT, `/kib` a KiB, `/files/` serves
 * the files of `folder/files`.
 */
export async function startOrigin(folder: string): Promise<Origin> {
  const nginx = programPath('nginx')
  if (nginx === null) throw new Error('The benchmark needs nginx as upstream: apt-get install nginx')
  const [port, streams] = [await freePort(), await freePort()]
  const file = path.join(folder, 'origin.conf')
  writeFileSync(
    file,
    `${nginxPreamble(folder, 'origin')}
http {
  ${nginxHttpDefaults(folder)}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    default_type application/json;
    location / { return 200 '${BODY}'; }
    location = /echo { return 200 $arg_n; }
    location = /kib { return 200 '${'k'.repeat(1024)}'; }
    location /files/ { root ${folder}; sendfile on; }
  }
  server {
    listen 127.0.0.1:${streams} http2 backlog=4096;
    http2_max_concurrent_streams 256;
    default_type application/json;
    location / { return 200 '${BODY}'; }
    location = /echo { return 200 $arg_n; }
  }
}
`,
  )
  const program = new Program({ name: 'origin', command: nginx, args: ['-c', file], core: LOAD_CORE })
  await program.listening(port)
  return { program, port, streams }
}

/** The first lines of an nginx configuration that runs in `folder` with one worker. */
export function nginxPreamble(folder: string, name: string): string {
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  return `daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
${user}
pid ${folder}/${name}.pid;
error_log ${folder}/${name}.error.log;
events { worker_connections 16000; }`
}

/** Settings that every nginx here has: temporary files in `folder`, no log, connections kept without limit. */
export function nginxHttpDefaults(folder: string): string {
  return `access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_max_body_size 0;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;`
}
