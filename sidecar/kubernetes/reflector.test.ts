import assert from 'node:assert/strict'
import { test } from 'node:test'
import { turns } from '../../test/harness/in-process.ts'
import { seededRandom } from '../runtime/random.ts'
import { labels, PODS, setUp } from '../../test/harness/reflected-pods.ts'

test('what is there, in pages, then what comes, changes and goes; other objects are none of its business', async t => {
  const { api, put, shows, asked, watching, reflector, until } = await setUp(t, {
    ready: one => {
      for (let i = 0; i < 250; i++) one.put(`${PODS}/p-${i}`, { metadata: { labels }, phase: 'up' })
      one.put(`${PODS}/other`, { phase: 'up' })
    },
  })
  await until('all are there', () => reflector.objects?.size === 250)
  assert.equal(asked(false).length, 3)
  assert.ok(asked(false).every(one => one.query['limit'] === '100'))
  await watching()
  for (let i = 0; i < 250; i++) api.remove(`${PODS}/p-${i}`)
  put('a', 'new')
  await shows('a=new')
  put('a', 'old')
  put('b', 'unreadable')
  await shows('a=old')
  put('a', 'unreadable')
  await shows('')
  // Its labels are others now: gone for us.
  put('c', 'up')
  await shows('c=up')
  api.put(`${PODS}/c`, { phase: 'up' })
  await shows('')
  assert.equal(asked(true).length, 1)
})

test('a burst is few changes', async t => {
  const { put, shows, seen, watching } = await setUp(t)
  await watching()
  seen.changes = 0
  for (let i = 0; i < 100; i++) put('a', `v${i}`)
  await shows('a=v99')
  assert.ok(seen.changes < 50, `${seen.changes} changes`)
})

test('a watch that the server closes goes on from where it was: nothing is listed anew, nothing is lost', async t => {
  const { api, put, shows, asked, watching, steps, reflector, clock } = await setUp(t)
  await watching()
  for (let round = 0; round < 5; round++) {
    clock.step(6000)
    api.endWatches()
    await steps('it ends', () => !reflector.watching)
    put('a', `v${round}`)
    const waited = await steps('it watches again', () => reflector.watching)
    assert.ok(waited <= 600, `${waited} ms`)
    await shows(`a=v${round}`)
  }
  assert.equal(asked(false).length, 1)
  assert.equal(reflector.counts.closed, 5)
  assert.equal(reflector.error, '')
})

test('a bookmark moves the place from which it goes on', async t => {
  const { api, asked, watching, steps, reflector, until, clock } = await setUp(t)
  await watching()
  // Changes of others, which this watch does not see.
  for (let i = 0; i < 3; i++) api.put('/api/v1/namespaces/shop/secrets/s', {})
  clock.step(100)
  api.bookmark()
  const version = String(api.store.version)
  await until('it was heard', () => reflector.heardAt === clock.now())
  api.endWatches()
  await steps('it watches again', () => asked(true).length === 2)
  assert.equal(asked(true)[1]?.query['resourceVersion'], version)
  assert.equal(asked(true)[1]?.query['allowWatchBookmarks'], 'true')
})

for (const goneBy of ['event', 'status'] as const) {
  test(`410 by ${goneBy}: all is listed anew, and until then what was known stays`, async t => {
    const { api, put, shows, shown, asked, watching, steps, reflector } = await setUp(t)
    api.goneBy = goneBy
    put('a', 'up')
    put('b', 'up')
    await shows('a=up b=up')
    await watching()
    await api.down()
    api.remove(`${PODS}/a`)
    put('c', 'up')
    api.compact()
    let dropped = false
    await steps('it notices', () => !reflector.watching)
    await api.up()
    await steps('it watches again', () => {
      dropped ||= !shown().includes('b=up')
      return reflector.watching && reflector.objects?.has('shop/c') === true
    })
    assert.equal(shown(), 'b=up c=up')
    assert.ok(!dropped)
    assert.equal(asked(false).length, 2)
    assert.equal(reflector.counts.expired, 1)
    assert.equal(reflector.error, '')
  })
}

test('a server that is away: known objects stay, tries come later and later, and not all at one moment', async t => {
  const waits: number[][] = []
  for (const seed of [1, 2]) {
    const { api, put, shown, watching, steps, reflector, shows } = await setUp(t, { seed })
    put('a', 'up')
    await shows('a=up')
    await watching()
    await api.down()
    await steps('it fails', () => reflector.error !== '')
    const tries: number[] = []
    for (let i = 0; i < 9; i++) {
      const { failed } = reflector.counts
      tries.push(await steps('it tries again', () => reflector.counts.failed > failed))
    }
    assert.ok((tries[0] ?? 0) <= 1100, String(tries))
    assert.ok(Math.max(...tries) <= 30_100 && (tries.at(-1) ?? 0) >= 14_900, String(tries))
    assert.equal(reflector.error, 'ECONNREFUSED')
    assert.equal(shown(), 'a=up')
    await api.up()
    put('b', 'up')
    await steps('it is back', () => reflector.watching)
    await shows('a=up b=up')
    assert.equal(reflector.error, '')
    waits.push(tries)
  }
  assert.notDeepEqual(waits[0], waits[1])
})

test('a list that is refused, no list, or no JSON is tried again, and says why', async t => {
  const { api, reflector, steps, until, shown } = await setUp(t, {
    ready: one => {
      one.intercept = (_request, response) => {
        const answers = [
          [403, { kind: 'Status', message: 'endpointslices is forbidden: User "x" cannot list' }],
          [200, { kind: 'List', metadata: { resourceVersion: '1' } }],
          [200, { items: [] }],
          [200, []],
        ] as const
        const [status, body] = answers[one.requests.length - 1] ?? [0, null]
        if (status === 0) return false
        response.writeHead(status).end(JSON.stringify(body))
        return true
      }
    },
  })
  await until('it is refused', () => reflector.error !== '')
  assert.equal(reflector.error, '403 endpointslices is forbidden: User "x" cannot list')
  assert.equal(shown(), 'nothing')
  await steps('it goes on', () => reflector.error === 'the answer is no list of the API')
  api.put(`${PODS}/a`, { metadata: { labels }, phase: 'up' })
  await steps('it works', () => shown() === 'a=up')
  assert.equal(reflector.counts.failed, 4)
})

test('pages that expire on the way: begun anew, and no half of a list counts', async t => {
  let cut = true
  const { reflector, steps, until } = await setUp(t, {
    ready: one => {
      for (let i = 0; i < 150; i++) one.put(`${PODS}/p-${i}`, { metadata: { labels }, phase: 'up' })
      one.intercept = ({ query }) => {
        if (cut && query['continue'] !== undefined) {
          one.compact()
          cut = false
        }
        return false
      }
    },
  })
  await until('it fails', () => reflector.error !== '')
  assert.match(reflector.error, /^410 /)
  assert.equal(reflector.objects, null)
  await steps('all are there', () => reflector.objects?.size === 150)
})

test('a watch that is cut or says rubbish goes on; one whose place is never taken is listed anew', async t => {
  const { api, put, shows, watching, steps, reflector, asked } = await setUp(t)
  await watching()
  for (const spoil of [
    () => api.endWatches('cut'),
    () => api.sendWatches('<html>\n'),
    () => api.sendWatches('{"type":"ADDED","object":7}\n'),
  ]) {
    spoil()
    await steps('it fails', () => reflector.error !== '')
    put('a', String(api.requests.length))
    await steps('it watches again', () => reflector.watching)
    assert.equal(reflector.error, '')
    await shows(`a=${api.get(`${PODS}/a`)?.['phase'] as string}`)
  }
  assert.equal(asked(false).length, 1)
  // As after a restore: the server does not know the version, and does not say 410.
  api.intercept = ({ query }, response) => {
    if (query['watch'] === undefined || asked(false).length > 1) return false
    response.writeHead(504).end(JSON.stringify({ message: 'Too large resource version' }))
    return true
  }
  api.endWatches()
  await steps('it lists anew', () => asked(false).length === 2, 120_000)
  await steps('it watches again', () => reflector.watching)
})

test('a watch that stays open far beyond its time is dead', async t => {
  const { api, watching, steps, reflector, asked, clock } = await setUp(t)
  await watching()
  const seconds = Number(asked(true)[0]?.query['timeoutSeconds'])
  assert.ok(seconds >= 300 && seconds <= 600, String(seconds))
  clock.step(seconds * 1000 + 20_000)
  await turns(20)
  assert.ok(reflector.watching)
  clock.step(15_000)
  assert.equal(reflector.error, 'the watch did not end when it should')
  await steps('the next one is open', () => reflector.watching && api.watches === 1)
})

test('closed while it lists: nobody hears anything', async t => {
  const { api, reflector, seen } = await setUp(t)
  reflector.close()
  await turns(50)
  assert.equal(seen.changes, 0)
  assert.equal(api.watches, 0)
})

test('property: whatever goes wrong in whatever order, in the end it shows what the server has', async t => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededRandom(seed)
    const { api, reflector, put, shown, steps, clock } = await setUp(t, { seed })
    let up = true
    const trace: string[] = []
    const faults: Record<string, () => void | Promise<void>> = {
      put: () => put(`p-${Math.floor(random() * 6)}`, String(Math.floor(random() * 1000))),
      remove: () => {
        const path = `${PODS}/p-${Math.floor(random() * 6)}`
        if (api.get(path) !== undefined) api.remove(path)
      },
      unlabel: () => void api.put(`${PODS}/p-${Math.floor(random() * 6)}`, { phase: 'x' }),
      close: () => api.endWatches('close'),
      cut: () => api.endWatches('cut'),
      compact: () => api.compact(),
      rubbish: () => api.sendWatches('{"type":"ADDED",\n'),
      bookmark: () => api.bookmark(),
      wait: () => clock.step(Math.floor(random() * 20_000)),
      turn: () => turns(Math.floor(random() * 30)),
      failing: () => void (api.mode = api.mode === 'up' ? 'failing' : 'up'),
      power: async () => {
        await (up ? api.down() : api.up())
        up = !up
      },
    }
    const names = Object.keys(faults)
    for (let i = 0; i < 60; i++) {
      const name = names[Math.floor(random() * names.length)] ?? ''
      trace.push(name)
      await faults[name]?.()
    }
    if (!up) await api.up()
    api.mode = 'up'
    const there = api.store
      .list({ group: '/api/v1', resource: 'pods', namespace: 'shop', name: '' })
      .filter(([, { metadata }]) => metadata?.labels?.['app'] === 'orders')
      .map(([path, object]) => `${path.replace(`${PODS}/`, '')}=${String(object['phase'])}`)
    const same = (): boolean => shown().split(' ').toSorted().join(' ') === there.join(' ')
    await steps(
      `seed ${seed}: ${trace.join(' ')}; there is ${there.join(' ')}`,
      () => reflector.watching && same(),
      200_000,
    )
  }
})
