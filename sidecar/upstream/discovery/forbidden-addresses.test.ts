import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isForbidden } from './forbidden-addresses.ts'

test('row 73: link-local addresses and those of cloud metadata, in every spelling', () => {
  for (const address of [
    '169.254.169.254',
    '169.254.0.1',
    '169.254.255.255',
    '100.100.100.200',
    '168.63.129.16',
    'fe80::1',
    'fe80::1%eth0',
    'febf:ffff::1',
    'fd00:ec2::254',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '0:0:0:0:0:ffff:a9fe:a9fe',
    '::169.254.169.254',
    '64:ff9b::169.254.169.254',
    '64:ff9b:1::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
  ])
    assert.ok(isForbidden(address, '127.0.0.1'), address)
})

test('row 73: their neighbours are not', () => {
  for (const address of [
    '169.253.255.255',
    '169.255.0.1',
    '127.0.0.1',
    '10.0.0.1',
    '100.100.100.201',
    '8.8.8.8',
    '::1',
    'fe00::1',
    'fd00:ec2::253',
    '2001:db8::a9fe:a9fe',
    '::ffff:127.0.0.1',
    '64:ff9b::8.8.8.8',
    '2002:808:808::1',
  ])
    assert.ok(!isForbidden(address, '127.0.0.1'), address)
})

test('row 73: nobody else gets at what listens on our loopback address', () => {
  for (const address of [
    '127.0.0.1',
    '127.9.9.9',
    '0.0.0.0',
    '::1',
    '::',
    '::ffff:127.0.0.1',
    '::127.0.0.1',
  ]) {
    assert.ok(isForbidden(address, '10.0.0.9'), address)
    for (const peer of ['', '127.0.0.1', '::1'])
      assert.ok(!isForbidden(address, peer), `${address} for ${peer}`)
  }
  assert.ok(!isForbidden('10.0.0.1', '10.0.0.9'))
  assert.ok(!isForbidden('2001:db8::1', '2001:db8::2'))
})
