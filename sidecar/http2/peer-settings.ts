import {
  DEFAULT_WINDOW,
  FLOW_CONTROL_ERROR,
  MAX_FRAME,
  MAX_WINDOW,
  NO_ERROR,
  PROTOCOL_ERROR,
  SETTINGS_ENABLE_CONNECT_PROTOCOL,
  SETTINGS_ENABLE_PUSH,
  SETTINGS_HEADER_TABLE_SIZE,
  SETTINGS_INITIAL_WINDOW_SIZE,
  SETTINGS_MAX_CONCURRENT_STREAMS,
  SETTINGS_MAX_FRAME_SIZE,
  SETTINGS_MAX_HEADER_LIST_SIZE,
} from './frames.ts'

/** Parameters in one frame; there are some ten that anybody knows. */
const PARAMETERS = 32

/** What the peer announced in its SETTINGS, with the defaults of RFC 9113 section 6.5.2. */
export class PeerSettings {
  maxConcurrentStreams = Infinity
  initialWindow = DEFAULT_WINDOW
  headerTable = 4096
  /** The least that the newest frame made of it on the way: that has to be said too (RFC 7541 section 4.2). */
  leastHeaderTable = 4096
  maxHeaderList = Infinity
  /** Whether extended CONNECT may be used (RFC 8441). */
  connectProtocol = false

  /**
   * Reads the payload of a SETTINGS frame.
   * @param side ours: a server must not say that it takes pushes
   * @returns an error code; NO_ERROR where all is well
   */
  apply(buffer: Buffer, start: number, end: number, side: 'server' | 'client'): number {
    if (end - start > PARAMETERS * 6) return PROTOCOL_ERROR
    this.leastHeaderTable = Infinity
    for (let at = start; at < end; at += 6) {
      const error = this.#set(buffer.readUInt16BE(at), buffer.readUInt32BE(at + 2), side)
      if (error !== NO_ERROR) return error
    }
    return NO_ERROR
  }

  #set(parameter: number, value: number, side: 'server' | 'client'): number {
    switch (parameter) {
      case SETTINGS_HEADER_TABLE_SIZE:
        this.headerTable = value
        this.leastHeaderTable = Math.min(value, this.leastHeaderTable)
        break
      case SETTINGS_ENABLE_PUSH:
        if (value > 1 || (value === 1 && side === 'client')) return PROTOCOL_ERROR
        break
      case SETTINGS_MAX_CONCURRENT_STREAMS:
        this.maxConcurrentStreams = value
        break
      case SETTINGS_INITIAL_WINDOW_SIZE:
        if (value > MAX_WINDOW) return FLOW_CONTROL_ERROR
        this.initialWindow = value
        break
      case SETTINGS_MAX_FRAME_SIZE:
        // Ours are never larger than what everybody must take.
        if (value < MAX_FRAME || value > 0xff_ffff) return PROTOCOL_ERROR
        break
      case SETTINGS_MAX_HEADER_LIST_SIZE:
        this.maxHeaderList = value
        break
      case SETTINGS_ENABLE_CONNECT_PROTOCOL:
        // RFC 8441 section 3: what was said once cannot be taken back.
        if (value > 1 || (value === 0 && this.connectProtocol)) return PROTOCOL_ERROR
        this.connectProtocol = value === 1
        break
      default:
    }
    return NO_ERROR
  }
}
