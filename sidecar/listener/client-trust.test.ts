import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { before, test } from 'node:test'
import type tls from 'node:tls'
import { Authority } from '../certificates/authority.ts'
import type { TlsListener } from '../snapshot/listener-tls.ts'
import { ClientTrust } from './client-trust.ts'

const DAY_MS = 86_400_000
const NOW = Date.now()
const GOOD = { notBefore: NOW - DAY_MS, notAfter: NOW + DAY_MS }

/** An authority by this name; two of one name have different keys. */
async function authority(commonName = 'root', life = GOOD): Promise<Authority> {
  return (await Authority.create({ commonName, ...life })).authority
}

let root: Authority
let other: Authority
let leaf: X509Certificate
before(async () => {
  root = await authority()
  other = await authority()
  leaf = new X509Certificate((await root.issue({ commonName: 'leaf', ...GOOD })).cert)
})

function listener(ca: string | null, required = true, hosts: readonly string[] = []): TlsListener {
  const tls = {
    certificates: [],
    clients: ca === null ? null : { ca, required },
    minVersion: 'TLSv1.2',
    hsts: null,
    hash: `${ca} ${required}`,
  } as const
  return { hosts, tls }
}

/** A socket whose client showed this chain. */
function socket(...[first, ...rest]: readonly X509Certificate[]): tls.TLSSocket {
  const shown = rest.reduceRight<X509Certificate | undefined>(
    (issuer, one) => withIssuer(one, issuer),
    undefined,
  )
  const certificate = first === undefined ? undefined : withIssuer(first, shown)
  // The one method of it that is asked.
  return { getPeerX509Certificate: () => certificate } as tls.TLSSocket
}

function withIssuer(one: X509Certificate, issuer: X509Certificate | undefined): X509Certificate {
  const copy = new X509Certificate(one.raw)
  Object.defineProperty(copy, 'issuerCertificate', { value: issuer })
  return copy
}

/** top signed itself and middle, middle signed low, and low, which is no authority, signed the last. Good for decades. */
const CHAIN_TIME = Date.UTC(2030, 0)
const CHAIN: readonly string[] = [
  `-----BEGIN CERTIFICATE-----
MIIBczCCARmgAwIBAgIUX0otrtj85tJlmlxoC2SR3YnKKEYwCgYIKoZIzj0EAwIw
DjEMMAoGA1UEAwwDdG9wMCAXDTI2MTEyNDE5MTM1NloYDzIwODEwODI3MTkxMzU2
WjAOMQwwCgYDVQQDDAN0b3AwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQTu4bG
kBY3xptLCNzG89Hy2D/LsnfUtv2xuH5GyOC146SMq8LHuDMpZ+hNIV5x2elHIqJ+
04eZjb4A7IQaOoWso1MwUTAdBgNVHQ4EFgQUD6+OMphuOBLyFCzH/2qUNqCDKIMw
HwYDVR0jBBgwFoAUD6+OMphuOBLyFCzH/2qUNqCDKIMwDwYDVR0TAQH/BAUwAwEB
/zAKBggqhkjOPQQDAgNIADBFAiBAVRVWY5zZMioBOeToH5I1MSerqMQxmDyAB8QG
k9g0xwIhAKEWSb+0xmDSzGinR/CpnKb4YNsM0KMhKnuWNbi+O7xl
-----END CERTIFICATE-----
`,
  `-----BEGIN CERTIFICATE-----
MIIBdTCCARygAwIBAgIUHgR2zrI5fmg0wbPI7lou2q3oKRwwCgYIKoZIzj0EAwIw
DjEMMAoGA1UEAwwDdG9wMCAXDTI2MTEyNDE5MTM1NloYDzIwODEwODI3MTkxMzU2
WjARMQ8wDQYDVQQDDAZtaWRkbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATD
WR1k4fzVQlluu79nyneDVkcZXlNFpjPBzmwA980xpE9gJtSvrBkpxfo5xwnuUEfw
AO5LyNPw4WR/P9VIHWiNo1MwUTAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBTB
IWc7FHLlxZfWBFeBbDYnz9BhTjAfBgNVHSMEGDAWgBQPr44ymG44EvIULMf/apQ2
oIMogzAKBggqhkjOPQQDAgNHADBEAiAStUwgCdlkKy4NIzOVR2gWf1sfqMqDPK7A
8mNpcgMPSAIgZN14Xo5VF3FcN2WCTO1Gg9fiedXyQL+B7TBRWO9zGAU=
-----END CERTIFICATE-----
`,
  `-----BEGIN CERTIFICATE-----
MIIBdDCCARugAwIBAgIUNHiG9v6NlNvw+kPxhuJBy7t3j64wCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGbWlkZGxlMCAXDTI2MTEyNDE5MTM1NloYDzIwODEwODI3MTkx
MzU2WjAOMQwwCgYDVQQDDANsb3cwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASf
7hMzSfP+tQAOy3Wa9v6xQ3MXZ+RjI09NYHDelp3n/pvHaAkPJTBE0PNFpWe8HF+Y
E4QiMPCQlz6Hg1COxBjPo1IwUDAOBgNVHREEBzAFggNsb3cwHQYDVR0OBBYEFHTq
Q8B/A8YKuOLd6OY+9GVolYtJMB8GA1UdIwQYMBaAFMEhZzsUcuXFl9YEV4FsNifP
0GFOMAoGCCqGSM49BAMCA0cAMEQCIC4XjqjWJ80KB8s4PJ0kfPwyyU2R0vOnG52k
MX0tW/4ZAiA6EBYKcd9bZZ9wBFoffJcYBtxwLi/M2lZTQWziBP02HA==
-----END CERTIFICATE-----
`,
  `-----BEGIN CERTIFICATE-----
MIIBeDCCAR6gAwIBAgIUBtOlikj6nEC/wcKMtYUU8V9a6E0wCgYIKoZIzj0EAwIw
DjEMMAoGA1UEAwwDbG93MCAXDTI2MTEyNDE5MTM1N1oYDzIwODEwODI3MTkxMzU3
WjARMQ8wDQYDVQQDDAZmb3JnZWQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASP
GX/ObadV2913xHFDLy96SlMKxHxVJQq3LZWESXoiJYQcG+IxEPnRh8IIO4jkPYtF
xQK59jy6OxYAQDqMpXyao1UwUzARBgNVHREECjAIggZmb3JnZWQwHQYDVR0OBBYE
FElgj+fPCvIgyWoi9EVlJbxXrqjDMB8GA1UdIwQYMBaAFHTqQ8B/A8YKuOLd6OY+
9GVolYtJMAoGCCqGSM49BAMCA0gAMEUCIQCW1i5GVssbzJWEtkHuM0Grq2wbjpxO
2UmzJqvm1k8GWgIgeZ1qeE1QufM52dBTxCl9mKRRAHoLcrng5dl9jD86PWo=
-----END CERTIFICATE-----
`,
]

test('a certificate holds under its authority, among others too, and under none of the same name', () => {
  const holds = (ca: string): boolean => new ClientTrust([listener(ca)]).holds(socket(leaf), '', true)
  assert.equal(holds(root.cert), true)
  assert.equal(holds(`# ours\n${other.cert}\n${root.cert}`), true)
  assert.equal(holds(other.cert), false)
  assert.equal(holds(''), false)
  assert.equal(new ClientTrust([listener(root.cert)]).holds(socket(), '', true), false)
})

test('an authority whose time is over trusts nobody', async () => {
  const ended = await authority('ended', { notBefore: NOW - 3 * DAY_MS, notAfter: NOW + DAY_MS })
  const { cert } = await ended.issue({ commonName: 'leaf', notBefore: NOW - DAY_MS, notAfter: NOW + DAY_MS })
  const shown = socket(new X509Certificate(cert))
  assert.equal(new ClientTrust([listener(ended.cert)], () => NOW).holds(shown, '', true), true)
  assert.equal(new ClientTrust([listener(ended.cert)], () => NOW + 2 * DAY_MS).holds(shown, '', true), false)
})

test('authorities in between are those that the client sent; one that is no authority leads nowhere', () => {
  const [top, middle, low] = CHAIN.map(pem => new X509Certificate(pem)) as [
    X509Certificate,
    X509Certificate,
    X509Certificate,
  ]
  const trust = (ca: string): ClientTrust => new ClientTrust([listener(ca)], () => CHAIN_TIME)
  const [topPem = '', middlePem = ''] = CHAIN
  assert.equal(trust(topPem).holds(socket(low, middle), '', true), true)
  assert.equal(trust(topPem).holds(socket(low, middle, top), '', true), true)
  // A resumed session has lost it, and what cannot be told does not hold.
  assert.equal(trust(topPem).holds(socket(low), '', true), false)
  assert.equal(trust(topPem + middlePem).holds(socket(low), '', true), true)
  // As in a handshake, only one that signed itself is the end of a chain.
  assert.equal(trust(middlePem).holds(socket(low, middle), '', true), false)
  // What a client signs with its own certificate.
  const [, , , forged = ''] = CHAIN
  assert.equal(trust(topPem).holds(socket(new X509Certificate(forged), low, middle), '', true), false)
})

test('who showed nothing is let in where nothing is required; what was proved does not outlive the question', () => {
  const of = (ca: string | null, required: boolean): ClientTrust => new ClientTrust([listener(ca, required)])
  assert.deepEqual(
    [of(root.cert, true), of(root.cert, false), of(null, true)].map(one => one.holds(socket(), '', false)),
    [false, true, true],
  )
  assert.equal(of(root.cert, false).holds(socket(leaf), '', true), true)
  assert.equal(of(null, true).holds(socket(leaf), '', true), false)
})

test('listeners that share an address: the one whose name was asked for decides', () => {
  const trust = new ClientTrust([
    listener(other.cert, true, ['b.example']),
    listener(root.cert, true, ['a.example']),
  ])
  assert.deepEqual(
    ['a.example', 'b.example'].map(name => trust.holds(socket(leaf), name, true)),
    [true, false],
  )
})

test('the same: authorities, whether one is required, and names; not certificates of our own', () => {
  const trust = new ClientTrust([listener(root.cert)])
  const renewed = listener(root.cert)
  assert.equal(
    trust.same([{ ...renewed, tls: renewed.tls && { ...renewed.tls, hash: 'x', hsts: 'y' } }]),
    true,
  )
  assert.equal(trust.same([listener(other.cert)]), false)
  assert.equal(trust.same([listener(root.cert, false)]), false)
  assert.equal(trust.same([listener(null)]), false)
  assert.equal(trust.same([listener(root.cert, true, ['a.example'])]), false)
  assert.equal(trust.same([]), false)
})
