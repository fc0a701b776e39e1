import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface User {
  readonly id: string
  readonly name: string
  readonly isAdmin: boolean
}

interface Password {
  readonly salt: string
  /** scrypt of the password with this salt, base64url. */
  readonly hash: string
}

interface Account extends User {
  /** The password that the account came with. */
  readonly first: Password
}

const derive = promisify<string, string, number, ScryptOptions, Buffer>(scrypt)

// One of the settings that OWASP's password storage cheat sheet calls equal: 16 MB and about 0.1 s for each try.
const cost: ScryptOptions = { N: 16_384, r: 8, p: 5 }
const hashLength = 32

function account(id: string, name: string, salt: string, hash: string, isAdmin = false): [string, Account] {
  return [id, { id, name, isAdmin, first: { salt, hash } }]
}

const accounts = new Map([
  account('ada', 'Ada Lovelace', '4eWMfiHDmr6QIEcd--AmNg', 'dw6nJn0_MEb1kYSIf9lDhg-iSjGhcxS6VhjAWOqZyEE'),
  account('alan', 'Alan Turing', 'p54szNf5evb6u0kfJ0KlfA', 'qBzf0zKvMo7puEX8TSk2cZvHX-cjQSj6FEUbr9agKWc'),
  account('grace', 'Grace Hopper', 'C2mtnnsNmdSA2-hB0q10Qg', 'lC1URE5cE2EsnoEUteT9jZQ_-6c7QFj1WxYJNbRuGTc', true),
])

// Nobody's: compared with for an unknown name, so that the answer takes as long as for a known one.
const nobody: Password = { salt: 'kq0Vd0vlQm2pRZ1o3g2f5w', hash: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }

export function findUser(id: string | null): User | null {
  return id === null ? null : (accounts.get(id) ?? null)
}

export function allUsers(): readonly User[] {
  return [...accounts.values()]
}

/** What changes of the accounts: new passwords, and who is locked out. In a folder, since the shop's processes share it; a real shop has a database. */
export class Credentials {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** The user with this name and password, or null: which of the two was wrong, or whether they are locked out, is nobody's business. */
  async authenticate(username: string, password: string): Promise<{ user: User; epoch: string } | null> {
    const user = accounts.get(username)
    const epoch = user === undefined ? null : await this.epochOf(user.id)
    const { salt, hash } = user === undefined ? nobody : await this.#passwordOf(user)
    const given = await derive(password.normalize('NFKC'), salt, hashLength, cost)
    const fits = timingSafeEqual(given, Buffer.from(hash, 'base64url'))
    return fits && user !== undefined && epoch !== null ? { user, epoch } : null
  }

  /**
   * What a login that was checked under the old password, or before the user was locked out, no longer agrees with: sojourn compares it
   * just before the new session's token goes out. Null for who may not log in.
   */
  async epochOf(userId: string): Promise<string | null> {
    const user = accounts.get(userId)
    if (user === undefined || (await this.isLockedOut(userId))) return null
    return (await this.#passwordOf(user)).salt
  }

  async changePassword({ id }: User, password: string): Promise<void> {
    const salt = randomBytes(16).toString('base64url')
    const hash = (await derive(password.normalize('NFKC'), salt, hashLength, cost)).toString('base64url')
    await this.#write(`${id}.password`, JSON.stringify({ salt, hash } satisfies Password))
  }

  async isLockedOut(userId: string): Promise<boolean> {
    return (await this.#read(`${userId}.locked-out`)) !== null
  }

  async lockOut({ id }: User): Promise<void> {
    await this.#write(`${id}.locked-out`, '')
  }

  async letIn({ id }: User): Promise<void> {
    await rm(join(this.#folder, `${id}.locked-out`), { force: true })
  }

  async #passwordOf({ id, first }: Account): Promise<Password> {
    const changed = await this.#read(`${id}.password`)
    return changed === null ? first : (JSON.parse(changed) as Password)
  }

  async #read(name: string): Promise<string | null> {
    try {
      return await readFile(join(this.#folder, name), 'utf8')
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
      throw error
    }
  }

  /** Whole or not at all, whoever reads meanwhile. */
  async #write(name: string, text: string): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const draft = join(this.#folder, `${name}.${randomBytes(6).toString('hex')}`)
    await writeFile(draft, text, { mode: 0o600 })
    await rename(draft, join(this.#folder, name))
  }
}
