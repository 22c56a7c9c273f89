import type { Wishes } from './annotations.ts'
import type { Container } from './pod.ts'
import type { PassedPort } from './ports.ts'
import { CAPTURE } from './selection.ts'

/** The chain of ours in the table `nat` of the pod. */
const CHAIN = 'OUTRIGGER'

/**
 * The container that sets the packet filter before all others start, and ends: what others send to a captured port arrives at the
 * sidecar. What the pod sends itself does not pass PREROUTING, so the sidecar reaches the app at that port, and whoever asks the app on loopback too.
 * @returns null where nothing is captured
 */
export function captureContainer({ settings }: Wishes, passed: readonly PassedPort[]): Container | null {
  const captured = passed.filter(({ by }) => by === 'capture')
  if (captured.length === 0) return null
  return {
    name: CAPTURE,
    image: settings.captureImage,
    ...(settings.imagePullPolicy === undefined ? {} : { imagePullPolicy: settings.imagePullPolicy }),
    command: ['/bin/sh', '-ec', script(captured)],
    resources: { requests: { cpu: '10m', memory: '16Mi' } },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] },
      readOnlyRootFilesystem: true,
      runAsNonRoot: false,
      runAsUser: 0,
      runAsGroup: 0,
      seccompProfile: { type: 'RuntimeDefault' },
    },
  }
}

/** May run again in the same pod: a node that starts anew runs init containers again. */
function script(captured: readonly PassedPort[]): string {
  const rules = captured.map(
    ({ declared, sidecar }) =>
      `  $1 -A ${CHAIN} -p tcp --dport ${declared} -j REDIRECT --to-ports ${sidecar}\n`,
  )
  return `lead() {
  $1 -N ${CHAIN} 2>/dev/null || $1 -F ${CHAIN}
${rules.join('')}  $1 -C PREROUTING -p tcp -j ${CHAIN} 2>/dev/null || $1 -A PREROUTING -p tcp -j ${CHAIN}
}
lead 'iptables -w -t nat'
if [ -e /proc/net/if_inet6 ]; then lead 'ip6tables -w -t nat'; fi
`
}
