import type { FrameSink } from './frame-sink.ts'
import {
  COMPRESSION_ERROR,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  MAX_WINDOW,
  NO_ERROR,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
  RST_STREAM,
  STREAM_CLOSED,
} from './frames.ts'
import type { GoingAway } from './going-away.ts'
import { HpackDecoder } from './hpack/decoder.ts'
import type { Output } from './output.ts'
import type { PeerSettings } from './peer-settings.ts'
import type { ReceiveWindow } from './receive-window.ts'
import type { Scheduler } from './scheduler.ts'
import type { SessionLimits } from './session-limits.ts'
import type { SessionParts } from './session-settings.ts'
import type { StreamEnds } from './stream-ends.ts'
import type { Stream } from './stream.ts'
import type { StreamTable } from './stream-table.ts'

/** The session that they came over. */
export interface ReceivingSession {
  readonly side: 'server' | 'client'
  readonly parts: SessionParts
  readonly peer: PeerSettings
  readonly output: Output
  readonly scheduler: Scheduler
  readonly limits: SessionLimits
  readonly receiveWindow: ReceiveWindow
  readonly ends: StreamEnds
  readonly announcedStreams: number
  /** The present, up to a tick of the wheel. */
  readonly now: number
  readonly goingAway: GoingAway
  /** How many frames came. */
  frames: number
  creditConnection(bytes: number): void
  takeSettings(): void
  pong(payload: Buffer, start: number): void
  takeGoaway(lastId: number, code: number): void
  fail(code: number, cause: string): void
}

/**
 * What a session does with the frames that come: brings them to their streams, and holds the peer to the states of RFC
 * 9113 section 5.1. What is wrong with one stream resets it; what is wrong with the connection ends it.
 */
export class ReceivedFrames implements FrameSink {
  readonly #session: ReceivingSession
  readonly #table: StreamTable
  readonly #decoder = new HpackDecoder()

  constructor(session: ReceivingSession, table: StreamTable) {
    this.#session = session
    this.#table = table
  }

  onData(
    id: number,
    flow: number,
    padding: number,
    buffer: Buffer,
    start: number,
    end: number,
    ended: boolean,
  ): void {
    const session = this.#session
    if (flow >= 0) {
      session.frames++
      if (!session.receiveWindow.take(flow))
        return session.fail(FLOW_CONTROL_ERROR, 'more DATA than the window of the connection')
      if (flow > 0) session.creditConnection(flow)
    }
    const stream = this.#table.get(id)
    if (stream === undefined) return this.#lateData(id, flow, padding)
    if (flow > padding) session.limits.data()
    else if (flow >= 0 && !ended && !this.#control()) return
    const error = stream.takeData(flow, padding, buffer, start, end, ended)
    if (error !== NO_ERROR) session.ends.violate(stream, error, 'DATA')
  }

  /** DATA of a stream that is not open earns nothing, and is not without end (row 36). */
  #lateData(id: number, flow: number, padding: number): void {
    if (flow >= 0 && flow <= padding && !this.#control()) return
    const { closed } = this.#table
    if (flow > padding && closed.ending(id) === 'ours' && !closed.takeLate(flow))
      return this.#session.fail(ENHANCE_YOUR_CALM, 'DATA of streams that were reset')
    this.#late(id, 'DATA')
  }

  onHeaders(id: number, buffer: Buffer, start: number, end: number, ended: boolean, parent: number): void {
    const session = this.#session
    session.frames++
    if (parent === id) return session.fail(PROTOCOL_ERROR, 'a stream depends on itself')
    const decoder = this.#decoder
    // First, whatever becomes of it: the table has to stay in step.
    const { headerFields, headerBytes } = session.parts.settings
    const outcome = decoder.decode(buffer, start, end, { fields: headerFields, bytes: headerBytes })
    if (outcome === 'compression_error') return session.fail(COMPRESSION_ERROR, decoder.fault)
    const stream = this.#table.get(id) ?? this.#begin(id)
    if (stream === null) return
    const error =
      outcome === 'ok'
        ? stream.takeBlock(decoder.headers, ended, decoder.sensitive)
        : stream.takeMalformed(decoder.fault, outcome === 'too_large', ended)
    if (error !== NO_ERROR) session.ends.violate(stream, error, 'HEADERS')
  }

  /** A header block on a stream that is not open. @returns the new stream, or null where there is to be none */
  #begin(id: number): Stream | null {
    const session = this.#session
    const table = this.#table
    if (session.side === 'client' || table.ours(id) || !table.idle(id)) {
      this.#late(id, 'HEADERS')
      return null
    }
    table.lastTheirs = id
    if (session.goingAway.refusing) {
      // Behind the GOAWAY that named the last one (section 6.8): it, and what follows on it, is passed over.
      table.closed.note(id, 'ours')
      this.#control()
      return null
    }
    table.lastTaken = id
    session.limits.stream()
    if (table.size >= session.announcedStreams) {
      this.#reset(id, REFUSED_STREAM)
      return null
    }
    return session.ends.accept(id)
  }

  onReset(id: number, code: number): void {
    const session = this.#session
    session.frames++
    const stream = this.#table.get(id)
    if (stream !== undefined) session.ends.takeReset(stream, code)
    else if (this.#table.idle(id)) session.fail(PROTOCOL_ERROR, 'RST_STREAM of an idle stream')
    else this.#control()
  }

  onSettings(ack: boolean, buffer: Buffer, start: number, end: number): void {
    const session = this.#session
    session.frames++
    if (!this.#control()) return
    if (ack) return
    const { peer } = session
    const window = peer.initialWindow
    const error = peer.apply(buffer, start, end, session.side)
    if (error !== NO_ERROR) return session.fail(error, 'SETTINGS')
    const widened = peer.initialWindow - window
    if (widened !== 0)
      for (const stream of this.#table.all()) {
        stream.widen(widened)
        if (stream.sendWindow > MAX_WINDOW) return session.fail(FLOW_CONTROL_ERROR, 'a window is too large')
      }
    session.takeSettings()
  }

  onPing(ack: boolean, buffer: Buffer, start: number): void {
    const session = this.#session
    session.frames++
    if (!this.#control()) return
    if (ack) session.goingAway.pong(buffer, start)
    else session.pong(buffer, start)
  }

  onGoaway(lastId: number, code: number): void {
    this.#session.frames++
    if (this.#control()) this.#session.takeGoaway(lastId, code)
  }

  onWindowUpdate(id: number, increment: number): void {
    const session = this.#session
    session.frames++
    if (!this.#control()) return
    if (id === 0) {
      if (increment === 0) session.fail(PROTOCOL_ERROR, 'WINDOW_UPDATE of nothing')
      else if (!session.scheduler.credit(increment))
        session.fail(FLOW_CONTROL_ERROR, 'the window of the connection is too large')
      return
    }
    const stream = this.#table.get(id)
    if (stream === undefined) {
      if (this.#table.idle(id)) session.fail(PROTOCOL_ERROR, 'WINDOW_UPDATE of an idle stream')
      return
    }
    if (increment === 0) return session.ends.violate(stream, PROTOCOL_ERROR, 'WINDOW_UPDATE of nothing')
    if (stream.sendWindow + increment > MAX_WINDOW)
      return session.ends.violate(stream, FLOW_CONTROL_ERROR, 'a window is too large')
    stream.widen(increment)
  }

  onPriority(id: number, parent: number): void {
    this.#session.frames++
    // Priorities are ignored; this one RFC 7540 section 5.3.1 forbids, and no stream may be there to reset.
    if (parent === id) this.#session.fail(PROTOCOL_ERROR, 'a stream depends on itself')
    else this.#control()
  }

  onUnknown(): void {
    this.#session.frames++
    this.#control()
  }

  onBadLength(id: number): void {
    const stream = this.#table.get(id)
    if (stream !== undefined) this.#session.ends.violate(stream, FRAME_SIZE_ERROR, 'PRIORITY')
    // There is no stream to say it on.
    else this.#session.fail(FRAME_SIZE_ERROR, 'PRIORITY')
  }

  onBroken(code: number, cause: string): void {
    this.#session.fail(code, cause)
  }

  /** A frame on a stream that is not open: late, or wrong (section 5.1). */
  #late(id: number, what: string): void {
    const session = this.#session
    const table = this.#table
    if (table.idle(id)) return session.fail(PROTOCOL_ERROR, `${what} of an idle stream`)
    switch (table.closed.ending(id)) {
      case 'ours':
        // The peer had not heard of it. DATA was counted.
        if (what === 'HEADERS') this.#control()
        return
      case 'theirs':
        return this.#reset(id, STREAM_CLOSED)
      case 'ended':
        return session.fail(STREAM_CLOSED, `${what} behind the end of a stream`)
      default:
        // Never begun, since a later one was, or ended long ago.
        if (what === 'HEADERS' && session.side === 'server')
          session.fail(PROTOCOL_ERROR, 'a stream begins out of order')
        else this.#reset(id, STREAM_CLOSED)
    }
  }

  /** Resets a stream that is not there. */
  #reset(id: number, code: number): void {
    const session = this.#session
    this.#table.closed.note(id, 'ours')
    session.output.wordFrame(RST_STREAM, id, code)
    if (!session.limits.reset(session.now, 0) || !session.limits.answered(session.output.backlog > 0))
      session.fail(ENHANCE_YOUR_CALM, 'too many resets')
  }

  /** @returns whether a frame that moves nothing is within bounds */
  #control(): boolean {
    const session = this.#session
    if (session.limits.control(session.now)) return true
    session.fail(ENHANCE_YOUR_CALM, 'too many control frames')
    return false
  }
}
