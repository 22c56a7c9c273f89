import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { proxyHeader } from '../upstream/proxy-header.ts'
import { crc32c, parseProxyHeader } from './proxy-protocol.ts'

const SIGNATURE = '0d0a0d0a000d0a515549540a'
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const v2 = (command: string, family: string, behind: Buffer, length = behind.length): Buffer => {
  const size = Buffer.alloc(2)
  size.writeUInt16BE(length)
  return Buffer.concat([hex(SIGNATURE + command + family), size, behind])
}
const TCP4 = hex('cb007107 c0000201 115c 01bb')
const ends = (source: string, sourcePort: number, destination: string, destinationPort: number) => ({
  source: { address: source, port: sourcePort },
  destination: { address: destination, port: destinationPort },
})

describe('version 1', () => {
  for (const [line, expected] of [
    ['PROXY TCP4 203.0.113.7 192.0.2.1 4444 443', ends('203.0.113.7', 4444, '192.0.2.1', 443)],
    ['PROXY TCP4 255.255.255.255 0.0.0.0 65535 0', ends('255.255.255.255', 65_535, '0.0.0.0', 0)],
    ['PROXY TCP6 2001:DB8:0::1 ::1 1 2', ends('2001:db8::1', 1, '::1', 2)],
    ['PROXY TCP6 ::ffff:203.0.113.7 ::ffff:192.0.2.1 1 2', ends('203.0.113.7', 1, '192.0.2.1', 2)],
    ['PROXY UNKNOWN', null],
    ['PROXY UNKNOWN ffff:f...f:ffff what ever 65535 65535', null],
  ] as const)
    test(line, () => {
      const bytes = Buffer.from(`${line}\r\nGET / HTTP/1.1\r\n`, 'latin1')
      assert.deepEqual(parseProxyHeader(bytes), { length: line.length + 2, ends: expected })
    })

  for (const line of [
    'PROXY',
    'PROXY ',
    'proxy TCP4 203.0.113.7 192.0.2.1 1 2',
    'PROXY  TCP4 203.0.113.7 192.0.2.1 1 2',
    'PROXY TCP4 203.0.113.7  192.0.2.1 1 2',
    'PROXY TCP4 203.0.113.7 192.0.2.1 1 2 ',
    'PROXY TCP4 203.0.113.7 192.0.2.1 1',
    'PROXY TCP4 203.0.113.7 192.0.2.1 1 2 3',
    'PROXY TCP4 203.0.113.07 192.0.2.1 1 2',
    'PROXY TCP4 203.0.113 192.0.2.1 1 2',
    'PROXY TCP4 ::1 ::1 1 2',
    'PROXY TCP6 203.0.113.7 192.0.2.1 1 2',
    'PROXY TCP6 fe80::1%eth0 ::1 1 2',
    'PROXY TCP4 203.0.113.7 192.0.2.1 01 2',
    'PROXY TCP4 203.0.113.7 192.0.2.1 65536 2',
    'PROXY TCP4 203.0.113.7 192.0.2.1 -1 2',
    'PROXY TCP4 203.0.113.7 192.0.2.1 1 2\n',
    'PROXY UDP4 203.0.113.7 192.0.2.1 1 2',
    'PROXY UNKNOWNS',
    'PROXY UNKNOWN \x00',
    'GET / HTTP/1.1',
  ])
    test(`refused: ${JSON.stringify(line)}`, () => {
      const parsed = parseProxyHeader(Buffer.from(`${line}\r\n\r\n`, 'latin1'))
      assert.ok(parsed !== 'partial' && 'fault' in parsed, JSON.stringify(parsed))
    })

  test('107 bytes are the most, and waited for no longer', () => {
    const longest = `PROXY UNKNOWN ${'x'.repeat(91)}\r\n`
    assert.equal(longest.length, 107)
    assert.deepEqual(parseProxyHeader(Buffer.from(longest)), { length: 107, ends: null })
    assert.equal(parseProxyHeader(Buffer.from(longest.slice(0, -1))), 'partial')
    assert.deepEqual(parseProxyHeader(Buffer.from(`PROXY UNKNOWN ${'x'.repeat(93)}`)), {
      fault: 'version 1: longer than 107 bytes',
    })
  })
})

describe('version 2', () => {
  const field = (type: string, value: Buffer): Buffer => {
    const head = Buffer.from(`${type}0000`, 'hex')
    head.writeUInt16BE(value.length, 1)
    return Buffer.concat([head, value])
  }

  test('addresses of both families, and what follows is not touched', () => {
    const four = v2('21', '11', TCP4)
    assert.deepEqual(parseProxyHeader(Buffer.concat([four, Buffer.from('rest')])), {
      length: 28,
      ends: ends('203.0.113.7', 4444, '192.0.2.1', 443),
    })
    const six = hex('20010db8000000000000000000000001 00000000000000000000ffffc0000201 0001 0002')
    assert.deepEqual(parseProxyHeader(v2('21', '21', six)), {
      length: 52,
      ends: ends('2001:db8::1', 1, '192.0.2.1', 2),
    })
  })

  test('LOCAL, UNSPEC and Unix sockets keep the connection’s own addresses', () => {
    assert.deepEqual(parseProxyHeader(v2('20', '00', Buffer.alloc(0))), { length: 16, ends: null })
    // Whatever stands in it: the specification has it ignored.
    assert.deepEqual(parseProxyHeader(v2('20', 'ff', Buffer.from('junk'))), { length: 20, ends: null })
    assert.deepEqual(parseProxyHeader(v2('21', '00', field('04', Buffer.alloc(9)))), {
      length: 28,
      ends: null,
    })
    assert.deepEqual(parseProxyHeader(v2('21', '31', Buffer.alloc(216))), { length: 232, ends: null })
  })

  test('a checksum is compared where there is one', () => {
    const whole = v2(
      '21',
      '11',
      Buffer.concat([TCP4, field('03', Buffer.alloc(4)), field('02', Buffer.from('a.example'))]),
    )
    whole.writeUInt32BE(crc32c(whole), 31)
    assert.equal(
      typeof parseProxyHeader(whole) === 'object' && 'ends' in (parseProxyHeader(whole) as object),
      true,
    )
    for (let at = 16; at < whole.length; at++) {
      const broken = Buffer.from(whole)
      broken[at] = (broken[at] ?? 0) ^ 1
      const parsed = parseProxyHeader(broken)
      // A bit of a field's own type or length makes it another field; whatever it is then, it is not a wrong address.
      const addresses = at < 28 || (at >= 31 && at < 35) || at >= 38
      if (addresses) assert.ok(parsed !== 'partial' && 'fault' in parsed, `byte ${at}`)
    }
  })

  for (const [name, bytes] of [
    ['another version', v2('11', '11', TCP4)],
    ['another command', v2('22', '11', TCP4)],
    ['datagrams', v2('21', '12', TCP4)],
    ['an unknown family', v2('21', '41', TCP4)],
    ['addresses cut off', v2('21', '11', TCP4.subarray(1))],
    ['a field cut off', v2('21', '11', Buffer.concat([TCP4, hex('0400')]))],
    ['a value cut off', v2('21', '11', Buffer.concat([TCP4, hex('04 0002 00')]))],
    ['a checksum of three bytes', v2('21', '11', Buffer.concat([TCP4, hex('03 0003 000000')]))],
    ['two checksums', v2('21', '11', Buffer.concat([TCP4, hex('03000400000000 03000400000000')]))],
    ['more than 4 KiB', v2('21', '11', TCP4, 4097)],
    ['another signature', Buffer.from('\r\n\r\n\0\r\nQUIX\n', 'latin1')],
  ] as const)
    test(`refused: ${name}`, () => {
      const parsed = parseProxyHeader(bytes)
      assert.ok(parsed !== 'partial' && 'fault' in parsed, JSON.stringify(parsed))
    })
})

test('CRC-32C is that of RFC 3720, appendix B.4', () => {
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa)
  assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43)
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
})

const v4 = fc.ipV4()
const v6 = fc.ipV6().filter(address => !/^::(?:ffff(?::0)?:)?\d+\.|^::ffff:/i.test(address))
const port = fc.integer({ min: 0, max: 65_535 })

test('what we write we read, at every cut, and nothing behind it', () => {
  const pair = fc.oneof(fc.tuple(v4, v4), fc.tuple(v6, v6), fc.tuple(v4, v6))
  const version = fc.constantFrom('v1' as const, 'v2' as const)
  fc.assert(
    fc.property(
      version,
      pair,
      port,
      port,
      fc.uint8Array({ maxLength: 20 }),
      (kind, [a, b], from, to, rest) => {
        const header = proxyHeader(kind, { address: a, port: from }, { address: b, port: to })
        for (let cut = 0; cut < header.length; cut++)
          assert.equal(parseProxyHeader(header.subarray(0, cut)), 'partial')
        const parsed = parseProxyHeader(Buffer.concat([header, rest]))
        assert.ok(parsed !== 'partial' && 'ends' in parsed && parsed.ends !== null)
        assert.equal(parsed.length, header.length)
        assert.deepEqual([parsed.ends.source.port, parsed.ends.destination.port], [from, to])
        // Written again it is the same: one spelling for each address.
        assert.deepEqual(proxyHeader(kind, parsed.ends.source, parsed.ends.destination), again(kind, header))
      },
    ),
    { numRuns: 200 },
  )
})

/** The same header in our spelling. */
function again(kind: 'v1' | 'v2', header: Buffer): Buffer {
  const parsed = parseProxyHeader(header)
  if (parsed === 'partial' || !('ends' in parsed) || parsed.ends === null) throw new Error('not read')
  return proxyHeader(kind, parsed.ends.source, parsed.ends.destination)
}

test('whatever comes, it is a header, more of one, or refused; never longer than 4 KiB', () => {
  const start = fc.constantFrom('', 'PROXY ', 'PROXY TCP4 ', SIGNATURE_TEXT, `${SIGNATURE_TEXT}!\x11\0`)
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 300 }), (first, rest) => {
      const bytes = Buffer.concat([Buffer.from(first, 'latin1'), rest])
      const parsed = parseProxyHeader(bytes)
      if (parsed === 'partial' || 'fault' in parsed) return
      assert.ok(parsed.length <= bytes.length && parsed.length <= 4112)
    }),
    { numRuns: 2000 },
  )
})

const SIGNATURE_TEXT = hex(SIGNATURE).toString('latin1')

test('where an end is not known, neither is said', () => {
  const unix = { address: '', port: 0 }
  const known = { address: '192.0.2.1', port: 1 }
  for (const version of ['v1', 'v2'] as const) {
    const parsed = parseProxyHeader(proxyHeader(version, unix, known))
    assert.ok(parsed !== 'partial' && 'ends' in parsed)
    assert.equal(parsed.ends, null)
  }
})
