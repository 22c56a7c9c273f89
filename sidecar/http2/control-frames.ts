import {
  ACK,
  DEFAULT_WINDOW,
  FRAME_HEADER,
  GOAWAY,
  PING,
  PREFACE,
  SETTINGS,
  SETTINGS_ENABLE_CONNECT_PROTOCOL,
  SETTINGS_ENABLE_PUSH,
  SETTINGS_INITIAL_WINDOW_SIZE,
  SETTINGS_MAX_CONCURRENT_STREAMS,
  SETTINGS_MAX_HEADER_LIST_SIZE,
} from './frames.ts'
import type { Output } from './output.ts'
import type { Http2Settings } from './session-settings.ts'

const PING_BYTES = 8

/** What a side says first (RFC 9113 section 3.4): the preface where it is the client, SETTINGS, and the connection's window. */
export function writeBeginning(output: Output, side: 'server' | 'client', settings: Http2Settings): void {
  const parameters: number[] = []
  if (side === 'client') parameters.push(SETTINGS_ENABLE_PUSH, 0)
  else parameters.push(SETTINGS_MAX_CONCURRENT_STREAMS, settings.streams)
  if (settings.streamWindow !== DEFAULT_WINDOW)
    parameters.push(SETTINGS_INITIAL_WINDOW_SIZE, settings.streamWindow)
  parameters.push(SETTINGS_MAX_HEADER_LIST_SIZE, settings.headerBytes)
  if (side === 'server' && settings.connectProtocol) parameters.push(SETTINGS_ENABLE_CONNECT_PROTOCOL, 1)
  const length = parameters.length * 3
  output.reserve(PREFACE.length + FRAME_HEADER * 2 + length + 4)
  if (side === 'client') output.at += PREFACE.copy(output.buffer, output.at)
  output.header(length, SETTINGS, 0, 0)
  for (let i = 0; i < parameters.length; i += 2) {
    // Pushed in pairs.
    output.at = output.buffer.writeUInt16BE(parameters[i] as number, output.at)
    output.at = output.buffer.writeUInt32BE(parameters[i + 1] as number, output.at)
  }
  const more = settings.window - DEFAULT_WINDOW
  if (more > 0) output.windowUpdate(0, more)
}

/** Says that the peer's SETTINGS hold from here on. */
export function writeSettingsAck(output: Output): void {
  output.reserve(FRAME_HEADER)
  output.header(0, SETTINGS, ACK, 0)
}

/** PING, or the answer to one. @param payload holds eight bytes from `start` on */
export function writePing(output: Output, ack: boolean, payload: Buffer, start: number): void {
  output.reserve(FRAME_HEADER + PING_BYTES)
  output.header(PING_BYTES, PING, ack ? ACK : 0, 0)
  output.at += payload.copy(output.buffer, output.at, start, start + PING_BYTES)
}

/** GOAWAY. @param cause ASCII, for whoever reads the peer's log */
export function writeGoaway(output: Output, lastId: number, code: number, cause: string): void {
  output.reserve(FRAME_HEADER + 8 + cause.length)
  output.header(8 + cause.length, GOAWAY, 0, 0)
  output.word(lastId)
  output.word(code)
  output.at += output.buffer.write(cause, output.at, 'latin1')
}
