import { grace, renewAfter, skew, type Answer, type Client, type Server } from './histories.ts'

const firstWait = grace / 2 + skew
const keptPending = 6

export type Suspicion = 'late' | 'reuse' | 'unshown'

interface Pending {
  readonly secret: string
  readonly order: number
  readonly at: number
  readonly client: Client
}

/** The server's side of renewal in small, written down anew: what the real one must answer at each request of a history. */
export class Reference implements Server {
  readonly token = 's0'
  /** What was reported so far. */
  readonly suspected: Suspicion[] = []
  #issued = 0
  #ended = false
  #firstLate: number | null = null
  #current = { secret: this.token, at: 0 }
  #pending: Pending[] = []
  #superseded: Pending[] = []
  #closing: { secret: string; until: number }[] = []

  isEnded(): boolean {
    return this.#ended
  }

  async logIn(): Promise<void> {
    if (!this.#ended) this.suspected.push('reuse')
    this.#ended = true
  }

  async show(secret: string, now: number, client: Client): Promise<Answer> {
    return this.answer(secret, now, client)
  }

  answer(secret: string, now: number, client: Client): Answer {
    if (this.#ended) return { ok: false, set: null }
    if (secret === this.#current.secret) return { ok: true, set: now - this.#current.at >= renewAfter ? this.#give(now, client) : null }
    const shown = this.#pending.find((pending) => pending.secret === secret)
    if (shown !== undefined) {
      this.#confirm(shown, now)
      return { ok: true, set: null }
    }
    if (this.#superseded.some((superseded) => superseded.secret === secret)) return { ok: true, set: this.#give(now, client) }
    const old = this.#closing.find((closing) => closing.secret === secret)
    if (old !== undefined && now <= old.until) return { ok: true, set: null }
    this.#suspect(now)
    return { ok: false, set: null }
  }

  #give(now: number, client: Client): string | null {
    const mine = this.#pending.filter((pending) => pending.client === client)
    const last = mine.at(-1)
    if (last !== undefined && now - last.at < Math.min(firstWait * 2 ** (mine.length - 1), renewAfter)) return null
    if (mine.length === keptPending) {
      this.suspected.push('unshown')
      this.#pending.splice(this.#pending.indexOf(mine[0]!), 1)
    }
    const secret = `s${++this.#issued}`
    this.#pending.push({ secret, order: this.#issued, at: now, client })
    return secret
  }

  #confirm({ secret, order }: Pending, now: number): void {
    for (const old of [this.#current, ...this.#superseded]) this.#closing.push({ secret: old.secret, until: now + grace })
    this.#superseded = this.#pending.filter((pending) => pending.order < order)
    this.#pending = this.#pending.filter((pending) => pending.order > order)
    this.#current = { secret, at: now }
    this.#firstLate = null
  }

  #suspect(now: number): void {
    if (this.#firstLate === null) {
      this.#firstLate = now
      this.suspected.push('late')
    } else if (now - this.#firstLate > grace) {
      this.#ended = true
      this.suspected.push('reuse')
    }
  }
}
