import type net from 'node:net'
import { Channel } from './channel.ts'
import type { Destination } from './destination.ts'
import { OutgoingSocket } from './outgoing-socket.ts'
import type { ReadBuffers } from './read-buffers.ts'

/** How a connection that we open begins, where it is not to carry HTTP/1.1. */
export interface Opening {
  /** What is spoken (ALPN); empty: it is not said. */
  readonly protocol: 'http/1.1' | 'h2' | ''
  /** What goes out before anything else, TLS included; absent: what the destination says. */
  readonly preface?: Buffer
}

const HTTP1: Opening = { protocol: 'http/1.1' }

/** Opens a connection. The owner hears `onClose` where it fails; `connected` is called where it does not. */
export function connectChannel(
  { at, tls: secure, preface: always }: Destination,
  buffers: ReadBuffers,
  connected: () => void,
  { protocol, preface = always }: Opening = HTTP1,
): Channel {
  // The socket exists before the channel, and reads nothing before it is connected.
  let channel: Channel | null = null
  const onread: net.OnReadOpts = {
    // Node takes it for "the same", whatever its types say.
    buffer: () => (channel === null ? buffers.shared : (channel.memory.next() as Buffer)),
    callback: (length, buffer) => channel === null || channel.onRead(length, buffer),
  }
  if (secure !== null) {
    const socket = secure.open(at, protocol, onread, preface)
    const encrypted = new Channel(socket, buffers)
    channel = encrypted
    // Over a connection that stands already Node reads into no memory of ours.
    if (preface !== undefined)
      socket.on('data', (bytes: Buffer) => {
        if (!encrypted.onRead(bytes.length, bytes)) socket.pause()
      })
    socket.on('secureConnect', connected)
    return channel
  }
  const socket = new OutgoingSocket({ noDelay: true, allowHalfOpen: true, onread })
  channel = new Channel(socket, buffers)
  socket.on('connect', connected)
  socket.connect({ ...at, autoSelectFamily: false })
  // Waits in the socket until it is connected.
  if (preface !== undefined) socket.write(preface)
  return channel
}
