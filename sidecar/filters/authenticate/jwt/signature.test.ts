import assert from 'node:assert/strict'
import { constants, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { compactVerify, type CryptoKey, importJWK, SignJWT } from 'jose'
import { hasKeyPair, isSigned } from './signature.ts'

const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const CURVES = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' } as const

interface Pair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ed = generateKeyPairSync('ed25519')

function pairOf(alg: string): Pair {
  if (RSA.includes(alg)) return rsa
  if (alg === 'EdDSA' || alg === 'Ed25519') return ed
  return generateKeyPairSync('ec', { namedCurve: CURVES[alg as keyof typeof CURVES] }) // the others
}

/** As `KeySet` imports it. */
async function imported(key: KeyObject, alg: string): Promise<CryptoKey> {
  return (await importJWK(key.export({ format: 'jwk' }), alg)) as CryptoKey // a public key
}

const signedBy = (key: KeyObject, alg: string): Promise<string> =>
  new SignJWT({ sub: 'alice' }).setProtectedHeader({ alg }).sign(key)

/** The token with another signature. */
function withSignature(token: string, signature: Buffer): string {
  return `${token.slice(0, token.lastIndexOf('.'))}.${signature.toString('base64url')}`
}

for (const alg of [...RSA, 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'])
  test(`${alg}: the key that signed, and nothing else`, async () => {
    const { privateKey, publicKey } = pairOf(alg)
    const key = await imported(publicKey, alg)
    const token = await signedBy(privateKey, alg)
    assert.ok(hasKeyPair(alg))
    assert.equal(await isSigned(token, alg, key), true)
    const [head = '', payload = '', signature = ''] = token.split('.')
    const bytes = Buffer.from(signature, 'base64url')
    const others = [
      `${head}.${payload}x.${signature}`,
      `x${head}.${payload}.${signature}`,
      withSignature(token, Buffer.alloc(bytes.length)),
      withSignature(token, bytes.subarray(1)),
      withSignature(token, bytes.subarray(0, -1)),
      withSignature(token, Buffer.concat([bytes, Buffer.alloc(1)])),
      withSignature(token, Buffer.concat([Buffer.alloc(1), bytes])),
      withSignature(token, Buffer.alloc(1)),
    ]
    for (const other of others) assert.equal(await isSigned(other, alg, key), false, other)
    // Of each bit both say the same as the library.
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length * 8 - 1), async bit => {
        const flipped = Buffer.from(bytes)
        flipped[bit >> 3]! ^= 1 << (bit & 7)
        const mutated = withSignature(token, flipped)
        const library = await compactVerify(mutated, key, { algorithms: [alg] }).then(
          () => true,
          () => false,
        )
        assert.equal(await isSigned(mutated, alg, key), library)
        assert.equal(library, false)
      }),
      { numRuns: 20, seed: 3 },
    )
  })

test('another algorithm of the same key verifies nothing', async () => {
  const key = await imported(rsa.publicKey, 'RS256')
  const token = await signedBy(rsa.privateKey, 'RS256')
  for (const alg of ['RS384', 'RS512', 'PS256', 'ES256', 'EdDSA', 'HS256', 'none'])
    assert.equal(await isSigned(token, alg, key), false, alg)
  // A salt of another length than that of the digest (RFC 7518 section 3.5).
  const input = token.slice(0, token.lastIndexOf('.'))
  const salted = (saltLength: number): Buffer =>
    sign('sha256', Buffer.from(input), {
      key: rsa.privateKey,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength,
    })
  const pss = await imported(rsa.publicKey, 'PS256')
  assert.equal(await isSigned(withSignature(token, salted(32)), 'PS256', pss), true)
  assert.equal(await isSigned(withSignature(token, salted(20)), 'PS256', pss), false)
})

test('a signature in DER is none (RFC 7518 section 3.4), nor one of a small RSA key', async () => {
  const pair = pairOf('ES256')
  const token = await signedBy(pair.privateKey, 'ES256')
  const input = Buffer.from(token.slice(0, token.lastIndexOf('.')))
  const der = sign('sha256', input, pair.privateKey)
  const key = await imported(pair.publicKey, 'ES256')
  assert.equal(await isSigned(withSignature(token, der), 'ES256', key), false)
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const signature = sign('sha256', input, small.privateKey)
  const smallKey = await imported(small.publicKey, 'RS256')
  assert.equal(await isSigned(withSignature(token, signature), 'RS256', smallKey), false)
})
