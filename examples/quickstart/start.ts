// The quick start: two services with a sidecar each and an edge in front, every one a process of its own.
//   npm start
//   npm start -- --port-base 18000      every port counted from there instead of 8000
//   npm start -- --config FOLDER        other configurations: FOLDER/{edge,orders,users}/outrigger.yaml
// Exit codes: 0 stopped by Ctrl-C, 1 something ended by itself, 2 usage, 3 a port is taken.
import path from 'node:path'
import { endTogether, freePorts, optionsOf, proxy, rightNode, service } from './example.ts'
import { Fleet } from './fleet.ts'
import { guide } from './guide.ts'
import { printLine } from './lines.ts'
import { environmentOf, PLACES } from './ports.ts'

const here = import.meta.dirname

const node = rightNode(import.meta.filename)
const options = optionsOf(['port-base', 'config'], 'npm start [-- --port-base NUMBER] [--config FOLDER]')
const config = path.resolve(options['config'] ?? path.join(here, 'config'))
const configOf = (name: string): string => path.join(config, name, 'outrigger.yaml')
const ports = await freePorts(PLACES, options['port-base'], 'npm start --')

const fleet = new Fleet(node, { ...process.env, ...environmentOf(ports) }, printLine)
endTogether(fleet)
await fleet.start([
  proxy('edge', 0, configOf('edge')),
  proxy('orders-sidecar', 1, configOf('orders')),
  proxy('users-sidecar', 1, configOf('users')),
  service('orders', 2, path.join(here, 'orders.ts')),
  service('users', 2, path.join(here, 'users.ts')),
])
console.log(guide(ports, config, performance.now()))
