import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '../runtime/random.ts'
import { candidates } from './balancers/candidates-fixture.ts'
import { RoundRobin } from './balancers/round-robin.ts'
import { type Eligibility, type EligibleMember, eligibility } from './eligibility.ts'
import type { Endpoint } from './endpoint.ts'
import { groupPicker } from './group-picker.ts'
import type { Condition } from './member.ts'
import type { Candidate, PickAsk } from './picker.ts'

interface Described {
  readonly condition?: Condition
  readonly weight?: number
  readonly zone?: string
  readonly priority?: number
  readonly warmth?: number
}

function member(described: Described): EligibleMember {
  const { condition = 'healthy', weight = 1, zone = '', priority = 0, warmth = 1 } = described
  const [candidate] = candidates(1)
  const endpoint = candidate?.endpoint as Endpoint // one was asked for
  return { endpoint, condition, spec: { weight, zone, priority }, warmth: () => warmth }
}

function members(...described: Described[]): EligibleMember[] {
  return described.map(member)
}

/** `count` times the same. */
function times(count: number, described: Described): Described[] {
  return Array.from({ length: count }, () => described)
}

function judge(all: readonly EligibleMember[], zone = '', panicPercent = 50): Eligibility {
  return eligibility(all, { zone, panicPercent }, 0)
}

/** Shares to three digits, with the number of candidates. */
function shares({ groups }: Eligibility): [number, number][] {
  return groups.map(group => [Math.round(group.share * 1000) / 1000, group.candidates.length])
}

describe('priorities', () => {
  const bad = { condition: 'unhealthy' } as const

  test('the first takes all while 5 in 7 are healthy', () => {
    const all = judge(members(...times(5, {}), ...times(2, bad), ...times(3, { priority: 1 })))
    assert.deepEqual(shares(all), [
      [1, 5],
      [0, 3],
    ])
  })

  test('below, the next takes the rest, and the next what that cannot take', () => {
    const all = judge(
      members(
        ...times(1, {}),
        ...times(1, bad),
        ...times(1, { priority: 1 }),
        ...times(9, { ...bad, priority: 1 }),
        ...times(2, { priority: 7 }),
      ),
    )
    assert.deepEqual(shares(all), [
      [0.7, 1],
      [0.14, 1],
      [0.16, 2],
    ])
  })

  test('where all together cannot take everything they share it', () => {
    const all = judge(
      members(
        ...times(1, {}),
        ...times(3, bad),
        ...times(1, { priority: 1 }),
        ...times(4, { ...bad, priority: 1 }),
      ),
      '',
      0,
    )
    assert.deepEqual(shares(all), [
      [0.556, 1],
      [0.444, 1],
    ])
  })

  test('the next takes over where the first is dead, without panic', () => {
    const all = judge(members(...times(6, bad), ...times(2, { priority: 1 })))
    assert.equal(all.panic, false)
    assert.deepEqual(shares(all), [
      [0, 0],
      [1, 2],
    ])
  })
})

describe('zones', () => {
  const near = { zone: 'a' }
  const far = { zone: 'b' }

  test('the own zone takes all while it is as well as the whole', () => {
    const all = judge(members(near, near, far, { ...far, condition: 'ejected' }), 'a')
    assert.deepEqual(shares(all), [
      [1, 2],
      [0, 1],
    ])
  })

  test('it takes less in proportion where it is worse', () => {
    const all = judge(members(near, { ...near, condition: 'unhealthy' }, ...times(6, far)), 'a')
    // Half of it is healthy, and seven eighths of all are.
    assert.deepEqual(shares(all), [
      [0.571, 1],
      [0.429, 6],
    ])
  })

  test('without one of its own nobody is preferred', () => {
    const all = judge(members({ ...near, condition: 'unhealthy' }, far, far), 'a')
    assert.deepEqual(shares(all), [[1, 2]])
  })
})

describe('panic', () => {
  test('below half of four or more, health is ignored', () => {
    const bad = { condition: 'unhealthy' } as const
    assert.equal(judge(members({}, {}, bad, bad)).panic, false)
    const all = judge(members({}, bad, { condition: 'ejected' }, { condition: 'probing' }), 'a')
    assert.equal(all.panic, true)
    assert.deepEqual(shares(all), [[1, 4]])
    assert.equal(judge(members({}, bad, bad)).panic, false, 'three are too few to panic')
    assert.equal(judge(members({}, bad, bad, bad), '', 0).panic, false, 'off')
  })

  test('nobody is healthy: everyone of the first priority; an open breaker is kept even then', () => {
    const bad = { condition: 'unhealthy' } as const
    const all = judge(members(...times(3, bad), ...times(2, { ...bad, priority: 1 })))
    assert.deepEqual(shares(all), [[1, 3]])
    const open = judge(members(...times(3, bad), { condition: 'open' }))
    assert.deepEqual(shares(open), [[1, 3]])
  })
})

describe('the last resort', () => {
  test('ejection alone leaves nobody without an endpoint; failing checks and open breakers do', () => {
    const out = judge(members({ condition: 'ejected' }, { condition: 'unhealthy' }, { condition: 'open' }))
    assert.deepEqual(shares(out), [[1, 1]])
    assert.equal(out.lastResort, true)
    const none = judge(members({ condition: 'unhealthy' }, { condition: 'open' }))
    assert.deepEqual(shares(none), [[0, 0]])
  })

  test('weight 0 counts nowhere, and is a candidate', () => {
    const all = judge(members({ weight: 0 }, {}, { condition: 'unhealthy' }))
    assert.deepEqual(shares(all), [[1, 2]])
    assert.deepEqual(shares(judge(members({ weight: 0 }, { condition: 'unhealthy' }))), [[0, 1]])
  })
})

test('slow start scales the weight', () => {
  const { groups } = judge(members({ weight: 10, warmth: 0.1 }, { weight: 10 }))
  assert.deepEqual(
    groups[0]?.candidates.map(candidate => candidate.weight),
    [1, 10],
  )
})

test('whatever the conditions: shares come to 1 where anybody is eligible, and a share has somebody to take it', () => {
  const conditions = ['healthy', 'unhealthy', 'ejected', 'probing', 'open', 'half-open'] as const
  const one = fc.record({
    condition: fc.constantFrom<Condition[]>(...conditions),
    weight: fc.constantFrom(0, 1, 3),
    zone: fc.constantFrom('', 'a', 'b'),
    priority: fc.nat(2),
  })
  fc.assert(
    fc.property(
      fc.array(one, { maxLength: 12 }),
      fc.constantFrom('', 'a'),
      fc.nat(100),
      (all, zone, percent) => {
        const { groups } = judge(members(...all), zone, percent)
        const total = groups.reduce((sum, group) => sum + group.share, 0)
        const counted = all.filter(each => each.weight > 0)
        const usable = counted.some(({ condition }) => ['healthy', 'ejected', 'probing'].includes(condition))
        if (usable) assert.ok(Math.abs(total - 1) < 1e-9, `${total}`)
        for (const { share, candidates: takers } of groups)
          assert.ok(share < 1e-9 || takers.some(({ weight }) => weight > 0), 'a share that nobody takes')
      },
    ),
    { numRuns: 500, seed: 3 },
  )
})

describe('a picker over groups', () => {
  const all = candidates(1, 1, 1)
  const [a, b, c] = all.map(candidate => candidate.endpoint)
  const groups = [
    { share: 0.7, candidates: all.slice(0, 1) },
    { share: 0.3, candidates: all.slice(1, 2) },
    { share: 0, candidates: all.slice(2) },
  ]
  const ask = { avoid: null, hash: -1, sticky: '' }

  test('gives each its share, by chance or by the hash', () => {
    const picker = groupPicker(groups, new RoundRobin(), seededRandom(1))
    const seen = new Map<Endpoint | null, number>()
    for (let i = 0; i < 10_000; i++) {
      const hash = i % 2 === 0 ? -1 : Math.imul(i, 2654435761) >>> 0
      const picked = picker.pick({ ...ask, hash })
      assert.equal(hash === -1 || picker.pick({ ...ask, hash }) === picked, true, 'a hash has one group')
      seen.set(picked, (seen.get(picked) ?? 0) + 1)
    }
    const taken = seen.get(a ?? null) ?? 0
    assert.ok(taken > 6800 && taken < 7200, `${taken}`)
    assert.equal(seen.get(c ?? null), undefined)
  })

  test('avoids across groups, never into one without a share, and finds who is bound', () => {
    const picker = groupPicker(groups, new RoundRobin(), seededRandom(1))
    for (let i = 0; i < 50; i++) {
      assert.equal(picker.pick({ ...ask, avoid: a ?? null }), b)
      assert.equal(picker.pick({ ...ask, avoid: b ?? null }), a)
    }
    assert.equal(groupPicker([], new RoundRobin(), seededRandom(1)).pick(ask), null)
  })

  test('chooses the group by other bits of a hash than the balancer its endpoint', () => {
    const four = candidates(1, 1, 1, 1)
    const halves = [
      { share: 0.5, candidates: four.slice(0, 2) },
      { share: 0.5, candidates: four.slice(2) },
    ]
    const byUpperHalf = {
      picker: (own: readonly Candidate[]) => ({
        pick: ({ hash }: PickAsk) => own[hash < 2 ** 31 ? 0 : 1]?.endpoint ?? null,
      }),
    }
    const picker = groupPicker(halves, byUpperHalf, seededRandom(1))
    const seen = new Map<Endpoint | null, number>()
    for (let i = 0; i < 4_000; i++) {
      const picked = picker.pick({ ...ask, hash: Math.imul(i, 2654435761) >>> 0 })
      seen.set(picked, (seen.get(picked) ?? 0) + 1)
    }
    for (const { endpoint } of four) assert.ok((seen.get(endpoint) ?? 0) > 800, `${seen.get(endpoint)}`)
  })
})
