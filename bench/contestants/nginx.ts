import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { notInstalled, type Contestant, type PemFiles } from '../contestant.ts'
import { programPath } from '../../test/harness/needs.ts'
import { nginxHttpDefaults, nginxPreamble } from '../origin.ts'
import { freePort } from '../../test/harness/free-port.ts'
import { Program, PROXY_CORE } from '../program.ts'

/** nginx as a reverse proxy: the reference. With `accessLog` it writes its usual log through a 64 KiB buffer. */
export function nginx({
  accessLog = false,
  tls = null,
}: { accessLog?: boolean; tls?: PemFiles | null } = {}): Contestant {
  const name = accessLog ? 'nginx, access log' : 'nginx'
  return {
    name,
    missing: () => (programPath('nginx') === null ? notInstalled('nginx', 'apt-get install nginx') : null),
    start: async ({ folder, origin }) => {
      const port = await freePort()
      const file = path.join(folder, 'nginx.conf')
      const log = accessLog ? `access_log ${folder}/access.log combined buffer=64k flush=1s;` : ''
      writeFileSync(
        file,
        `${nginxPreamble(folder, 'nginx')}
http {
  ${nginxHttpDefaults(folder)}
  upstream origin {
    server 127.0.0.1:${origin};
    keepalive 256;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port} ${tls === null ? '' : 'ssl'} backlog=4096;
    ${tls === null ? '' : `ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key}; ssl_protocols TLSv1.2 TLSv1.3;`}
    ${log}
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Request-Id $request_id;
    }
  }
}
`,
      )
      const command = programPath('nginx') ?? 'nginx'
      const program = new Program({ name, command, args: ['-c', file], core: PROXY_CORE })
      await program.listening(port)
      return { program, port }
    },
  }
}
