import { scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto'
import { promisify } from 'node:util'

export interface User {
  readonly id: string
  readonly name: string
}

interface Account extends User {
  readonly salt: string
  /** scrypt of the password with this salt, base64url. */
  readonly hash: string
}

const derive = promisify<string, string, number, ScryptOptions, Buffer>(scrypt)

// One of the settings that OWASP's password storage cheat sheet calls equal: 16 MB and about 0.1 s for each try.
const cost: ScryptOptions = { N: 16_384, r: 8, p: 5 }

const accounts = new Map<string, Account>([
  ['ada', { id: 'ada', name: 'Ada Lovelace', salt: '4eWMfiHDmr6QIEcd--AmNg', hash: 'dw6nJn0_MEb1kYSIf9lDhg-iSjGhcxS6VhjAWOqZyEE' }],
  ['alan', { id: 'alan', name: 'Alan Turing', salt: 'p54szNf5evb6u0kfJ0KlfA', hash: 'qBzf0zKvMo7puEX8TSk2cZvHX-cjQSj6FEUbr9agKWc' }],
])

// Nobody's: compared with for an unknown name, so that the answer takes as long as for a known one.
const nobody = { salt: 'kq0Vd0vlQm2pRZ1o3g2f5w', hash: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }

/** The user with this name and password, or null: which of the two was wrong is nobody's business. */
export async function authenticate(username: string, password: string): Promise<User | null> {
  const account = accounts.get(username)
  const { salt, hash } = account ?? nobody
  const expected = Buffer.from(hash, 'base64url')
  const given = await derive(password.normalize('NFKC'), salt, expected.length, cost)
  return timingSafeEqual(given, expected) && account !== undefined ? account : null
}

export function findUser(id: string | null): User | null {
  return id === null ? null : (accounts.get(id) ?? null)
}
