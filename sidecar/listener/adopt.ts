import type { Socket } from 'node:net'
import { Channel } from '../runtime/channel.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'

/** The slots in which Node keeps where a socket reads to; found by description, since they are not exported. */
interface Slots {
  readonly buffer: symbol
  readonly callback: symbol
  readonly generator: symbol
}

interface Adoptable {
  _handle: { useUserBuffer?: (buffer: Buffer) => void } | null
  [slot: symbol]: unknown
}

let slots: Slots | null | undefined

function findSlots(socket: Socket): Slots | null {
  const found = new Map<string, symbol>()
  for (
    let object: object | null = socket;
    object !== null;
    object = Object.getPrototypeOf(object) as object | null
  ) {
    for (const symbol of Object.getOwnPropertySymbols(object)) found.set(symbol.description ?? '', symbol)
  }
  const buffer = found.get('kBuffer')
  const callback = found.get('kBufferCb')
  const generator = found.get('kBufferGen')
  if (buffer === undefined || callback === undefined || generator === undefined) return null
  return { buffer, callback, generator }
}

/**
 * Makes a channel of an accepted socket, so that it reads into our memory as a connected one does through `onread`
 * (39 us a request fall to 33). Node offers this for sockets that it connects and not for those that it accepts; the
 * slots are the same. Where a later Node has other slots, the channel reads by `data` events, and `unsupported` hears of it once.
 *
 * The socket must be paused since its birth (`pauseOnConnect`). What was read before all the same, and put back, comes first.
 */
export function adopt(socket: Socket, buffers: ReadBuffers, unsupported: () => void): Channel {
  const channel = new Channel(socket, buffers)
  // A symbol-keyed view of the same object; Node's types do not know these slots.
  const inner = socket as unknown as Adoptable
  if (slots === undefined) {
    slots = findSlots(socket)
    if (slots === null) unsupported()
  }
  const use = inner._handle?.useUserBuffer
  if (slots === null || use === undefined) {
    socket.on('data', (bytes: Buffer) => {
      if (!channel.onRead(bytes.length, bytes)) socket.pause()
    })
    socket.pause()
    return channel
  }
  const first = channel.memory.next() as Buffer // the first answer is one
  inner[slots.buffer] = first
  inner[slots.callback] = (length: number, buffer: Buffer) => channel.onRead(length, buffer)
  inner[slots.generator] = () => channel.memory.next()
  use.call(inner._handle, first)
  // Where first bytes were read, the handle reads still; what it brings is the channel's, once somebody owns that.
  socket.pause()
  return channel
}
