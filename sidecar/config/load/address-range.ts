import { isIP } from 'node:net'
import { text, Wrong } from './scalars.ts'

/** Addresses: `10.0.0.0/8`, `fd00::/8`, `192.0.2.1`. */
export function parseRange(value: string, shown: string): string | Wrong {
  const [address = '', bits, more] = value.split('/')
  const family = isIP(address)
  const most = family === 6 ? 128 : 32
  const fits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most)
  if (family === 0 || more !== undefined || !fits)
    return new Wrong(`expected an address range such as \`10.0.0.0/8\`, got ${shown}`)
  // The bits of the address count with the 96 in front of it: fewer are every address of IPv4.
  if (/^::ffff:[\d.]+$/i.test(address) && Number(bits ?? 128) < 96)
    return new Wrong(
      `${shown} holds every IPv4 address`,
      Number(bits) <= 32 ? `write: ${address.slice(7)}/${bits}` : undefined,
    )
  return value.toLowerCase()
}

/** An address range as it is written, in lower case. */
export const addressRange = text(
  'an address range',
  { samples: ['10.0.0.0/8', '192.0.2.1'] },
  '127.0.0.1',
  parseRange,
)
