import { codes } from './base64url.ts'

/*
 * SHA-256 (FIPS 180-4) of a secret, for the comparison that requests make. OpenSSL's takes 0.3 µs when it runs again and again;
 * but between the other work of a server its code, its tables and its locks are out of the processor's caches, and it takes a tenth of
 * all that a small request costs. This has none of them. A secret and its padding fill exactly one block.
 */

export const secretLength = 32
export const hashLength = 43

const primes: number[] = []
for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n)

const fraction = (root: number): number => Math.floor((root % 1) * 2 ** 32) | 0
const constants = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)))
const start = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)))

const words = new Int32Array(64)
// The last one is the zero that the last letter of a hash ends in.
const digest = new Int32Array(9)

/**
 * Whether the hash that stands at `at` is that of a secret of 32 ASCII characters, in a time that does not tell where they differ.
 *
 * @param stored where `hashSecret` of `token.ts` wrote it
 */
export function isHashOf(secret: string, stored: string, at: number): boolean {
  if (secret.length !== secretLength || stored.length < at + hashLength) return false
  compress(secret)
  let difference = 0
  for (let i = 0, bit = 0; i < hashLength; i++, bit += 6) {
    const word = bit >>> 5
    const shift = bit & 31
    const six = shift <= 26 ? digest[word]! >>> (26 - shift) : (digest[word]! << (shift - 26)) | (digest[word + 1]! >>> (58 - shift))
    difference |= stored.charCodeAt(at + i) ^ codes[six & 63]!
  }
  return difference === 0
}

function compress(secret: string): void {
  for (let i = 0; i < 8; i++) {
    const at = 4 * i
    words[i] =
      (secret.charCodeAt(at) << 24) | (secret.charCodeAt(at + 1) << 16) | (secret.charCodeAt(at + 2) << 8) | secret.charCodeAt(at + 3)
  }
  words[8] = 1 << 31
  for (let i = 9; i < 15; i++) words[i] = 0
  words[15] = 8 * secretLength
  for (let i = 16; i < 64; i++) {
    const one = words[i - 15]!
    const two = words[i - 2]!
    const sigma0 = turn(one, 7) ^ turn(one, 18) ^ (one >>> 3)
    const sigma1 = turn(two, 17) ^ turn(two, 19) ^ (two >>> 10)
    words[i] = (words[i - 16]! + sigma0 + words[i - 7]! + sigma1) | 0
  }
  let a = start[0]!
  let b = start[1]!
  let c = start[2]!
  let d = start[3]!
  let e = start[4]!
  let f = start[5]!
  let g = start[6]!
  let h = start[7]!
  for (let i = 0; i < 64; i++) {
    const choice = (e & f) ^ (~e & g)
    const majority = (a & b) ^ (a & c) ^ (b & c)
    const first = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + choice + constants[i]! + words[i]!) | 0
    const second = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + majority) | 0
    h = g
    g = f
    f = e
    e = (d + first) | 0
    d = c
    c = b
    b = a
    a = (first + second) | 0
  }
  digest[0] = a + start[0]!
  digest[1] = b + start[1]!
  digest[2] = c + start[2]!
  digest[3] = d + start[3]!
  digest[4] = e + start[4]!
  digest[5] = f + start[5]!
  digest[6] = g + start[6]!
  digest[7] = h + start[7]!
  // Any sixteen of these in a row would tell the secret.
  for (let i = 0; i < 64; i++) words[i] = 0
}

function turn(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by))
}
