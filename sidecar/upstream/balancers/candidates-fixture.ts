import { Pool } from '../../http1/pool.ts'
import { systemClock } from '../../runtime/clock.ts'
import { MemoryBudget } from '../../runtime/memory-budget.ts'
import { ReadBuffers } from '../../runtime/read-buffers.ts'
import { TimerWheel } from '../../runtime/timer-wheel.ts'
import { Endpoint } from '../endpoint.ts'
import { OutlierRecord } from '../outlier-record.ts'
import type { Candidate, PickAsk } from '../picker.ts'

const buffers = new ReadBuffers(new MemoryBudget(1e6))
const wheel = new TimerWheel(systemClock)

/** An endpoint for each weight, at 10.0.0.1 and the ports from 1 on; none of them connects. */
export function candidates(...weights: readonly number[]): Candidate[] {
  return weights.map((weight, at) => ({
    weight,
    endpoint: new Endpoint(
      { kind: 'tcp', host: '10.0.0.1', port: at + 1 },
      null,
      new OutlierRecord(),
      target =>
        new Pool(
          target,
          { connect: 1, keepAlive: 1 },
          { connectsOpened: 0, connectsFailed: 0 },
          buffers,
          wheel,
        ),
    ),
  }))
}

/** What a request asks for: nothing, unless said. */
export function ask(more: Partial<PickAsk> = {}): PickAsk {
  return { avoid: null, hash: -1, sticky: '', ...more }
}
