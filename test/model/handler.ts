import { isGone } from '../../src/core/errors.ts'
import type { Session } from '../../src/core/session.ts'
import type { Carry, Write } from './model.ts'
import type { Act, User } from './program.ts'
import { checkSight } from './sight.ts'
import type { Browser, Data, World } from './world.ts'

/**
 * What the session must be to a request, going by the model:
 * new      nothing is stored
 * live     it was served
 * barred   its token is that of a session that logged in or out before the request was sent: only a login gets on from here
 * late     its token was replaced too long ago, and the session is alive: only a login gets on from here, and ends that one
 * told     it turned out to be gone, and the handler was told
 * unsure   new, barred or late, as it happened to fall
 */
export type Standing = 'new' | 'live' | 'barred' | 'late' | 'told' | 'unsure'

/** A request that was sent with some token, and has its session. */
export interface Opened {
  readonly name: string
  readonly browser: Browser
  readonly session: Session<Data>
  readonly standing: Standing
  /** The ID that it showed. */
  readonly shown: string | null
  /** When it left the browser, and what the clock said when it had its session. */
  readonly sent: number
  readonly openedAt: number
}

interface Pending {
  readonly write: Write
  /** From when on it may be stored: at once where a call is under way, else by the next call. */
  readonly from: number
  /** False where the session may have dropped it. */
  sure: boolean
}

/** A handler as an application has it. The model is told what its calls acknowledge, and checks what they refuse. */
export class Handler {
  readonly name: string
  readonly sent: number
  readonly openedAt: number
  readonly browser: Browser
  readonly session: Session<Data>
  /** The values that it made of its session. */
  readonly own = new Set<string>()
  loggedIn = false
  loggedOut = false
  /** It found its session moved by a login: the cookie is no longer its own to take back. */
  overtaken = false
  readonly #world: World
  #standing: Standing
  #shown: string | null
  /** The session that it works on. */
  #held: string | null = null
  /** When what it started from was known. */
  #based: number
  /** What it changed and no answer has covered yet. */
  #pending: Pending[] = []
  /** Calls that it did not wait for. */
  readonly #beside: Promise<void>[] = []
  #underway = 0

  constructor(world: World, { name, browser, session, standing, shown, sent, openedAt }: Opened) {
    this.#world = world
    this.session = session
    this.#standing = standing
    this.#shown = shown
    this.#based = world.moment()
    this.name = name
    this.browser = browser
    this.sent = sent
    this.openedAt = openedAt
    if (standing === 'live') this.#hold(shown)
  }

  get standing(): Standing {
    return this.#standing
  }

  get held(): string | null {
    return this.#held
  }

  /** The session whose cookie it may set. */
  get issuer(): string | null {
    return this.#standing === 'told' ? this.#shown : this.#held
  }

  async act(act: Act): Promise<void> {
    this.#isActive()
    const session = this.session
    switch (act) {
      case 'read':
        return checkSight(this.#world, this, session.data)
      case 'push':
        return void session.data.items.push(this.#write('item').value)
      case 'edit a':
      case 'edit b': {
        const field = act.slice(5)
        // What the request itself writes over is not going to be stored, unless a call under way has it.
        if (this.#underway > 0) for (const { write } of this.#pending) this.#world.model.mayBeStored(write)
        this.#pending = this.#pending.filter(({ write }) => write.field !== field)
        session.data.fields[field] = this.#write('field', field).value
        return
      }
      case 'flash':
        return session.flash('note', this.#write('flash').value)
      case 'take flashes':
        return this.#take(session.flash('note'))
      case 'add':
        return await this.#add()
      case 'save':
        return void (await this.call(() => session.save()))
      case 'add without waiting':
        return this.#goOnBeside(() => this.#add())
      case 'save without waiting':
        return this.#goOnBeside(async () => void (await this.call(() => session.save())))
      case 'renew':
        return session.renew()
      case 'touch':
        return session.touch()
      case 'logout':
        return await this.#logout()
      case 'login ada':
      case 'login alan':
      case 'login ada, remembered':
      case 'login alan, remembered':
        return await this.#login(act.includes('ada') ? 'ada' : 'alan', act.includes('remembered'))
      default:
        return act satisfies never
    }
  }

  #write(kind: Write['kind'], field = ''): Write {
    const write = this.#make(kind, field)
    this.#await(write)
    return write
  }

  #make(kind: Write['kind'], field = ''): Write {
    const write = this.#world.model.write(kind, field, this.browser, this.session.userId)
    this.own.add(write.value)
    return write
  }

  #await(write: Write): void {
    this.#pending.push({ write, from: this.#underway > 0 ? this.#world.moment() : Infinity, sure: true })
  }

  #take(messages: readonly string[]): void {
    const { model, fault } = this.#world
    if (new Set(messages).size < messages.length) fault(1, `${this.name} takes a message twice`)
    for (const message of messages) {
      const own = this.#pending.findIndex(({ write }) => write.value === message)
      this.#world.reached('a message is taken')
      if (own !== -1) {
        this.#pending.splice(own, 1)
        model.mayBeTaken(message)
        continue
      }
      if ((model.taken.get(message)?.get(this.#held ?? '') ?? Infinity) < this.sent)
        fault(1, `${this.name} takes the message ${message} again`)
      this.#await({ kind: 'take', value: message, field: '', browser: this.browser, userId: this.session.userId })
    }
  }

  async #add(): Promise<void> {
    const write = this.#make('add')
    const change = async () => {
      await this.session.update((data) => {
        data.count += 1
        data.adds[write.value] = true
      })
    }
    await this.call(change, [{ write, from: Infinity, sure: true }])
  }

  #goOnBeside(work: () => Promise<void>): void {
    this.#beside.push(work().catch((error: unknown) => this.#world.fault(0, `${this.name}: ${String(error)}`)))
  }

  /**
   * A call that stores what is pending, or says why not.
   *
   * @param added what the call itself changes
   * @returns whether it did what it was asked for
   */
  async call(call: () => Promise<void>, added: readonly Pending[] = []): Promise<boolean> {
    const started = this.#world.moment()
    const covered = [...this.#pending, ...added]
    this.#underway++
    try {
      await call()
    } catch (error) {
      this.#refused(error, started)
      return false
    } finally {
      this.#underway--
    }
    // What was changed while the call was under way may have gone with it.
    for (const { write } of [...covered, ...this.#pending]) this.#world.model.mayBeStored(write)
    const { id } = this.session
    if (id !== null && (this.#standing === 'new' || this.#standing === 'unsure')) this.#enter(id, null, false)
    // A call beside may have stored it first; or did, when it was changed while that was under way.
    const left = covered.filter((one) => added.includes(one) || this.#pending.includes(one))
    if (left.length === 0 || this.#standing === 'told') return true
    const { fault } = this.#world
    if (this.#standing === 'barred' || this.#standing === 'late') fault(4, `${this.name} wrote with a token that is void, and was not told`)
    if (id === null) {
      if (left.some(({ from, sure }) => sure && from === Infinity))
        fault(1, `${this.name} was told that its changes are stored, and they are nowhere`)
      return true
    }
    // A write is a use that needs no noting.
    this.#world.model.use(this.#held!, this.openedAt)
    this.#acknowledge(id, left, started)
    return true
  }

  #acknowledge(session: string, covered: readonly Pending[], started: number): void {
    const { model } = this.#world
    const answered = this.#world.moment()
    for (const { write, from, sure } of covered) {
      if (write.kind === 'take') model.mayBeTaken(write.value).set(session, answered)
      const acknowledged = {
        write,
        session,
        request: this.name,
        sent: this.sent,
        based: this.#based,
        started: Math.min(from, started),
        answered,
      }
      if (sure) model.acknowledged.push(acknowledged)
    }
    this.#pending = this.#pending.filter((one) => !covered.includes(one))
    this.#based = answered
  }

  #refused(error: unknown, started: number, mayBeAlive = false): void {
    if (!isGone(error)) throw error
    const { fault, reached } = this.#world
    reached('a write is refused')
    if (this.#standing === 'new') fault(3, `${this.name} is told ${error.code}, and nothing was stored that could be gone`)
    const isVoid = this.#standing === 'barred' || this.#standing === 'late'
    if (isVoid && error.code !== 'ERR_SOJOURN_MOVED') fault(4, `${this.name} shows a token that is void, and is told ${error.code}`)
    if (this.#standing !== 'live') return
    if (!mayBeAlive && this.#isSurelyAlive(started))
      fault(3, `${this.name} is told ${error.code}, and ${this.#world.called(this.#held!)} is alive`)
    this.#standing = 'told'
    this.#shown = this.#held
    this.#hold(null)
    this.#pending = []
  }

  #isSurelyAlive(since: number): boolean {
    const { model, watch } = this.#world
    return !watch.mayBeDead(this.#held!) && !model.mayHaveExpired(this.#held!, since)
  }

  async #login(userId: User, remember: boolean): Promise<void> {
    const { model, fault } = this.#world
    await this.settle()
    if (this.#standing === 'told' || this.#standing === 'late') this.#pending = []
    const source = this.#standing === 'live' ? this.#held : this.#standing === 'barred' || this.#standing === 'unsure' ? this.#shown : null
    if (source !== null) model.loginsTried.add(source)
    if (this.#shown !== null) model.loginsTried.add(this.#shown)
    const servedAs = this.session.userId
    const started = this.#world.moment()
    try {
      await this.session.login(userId, { remember })
    } catch (error) {
      // Its new session can be ended, with all others of the user, before anybody knew it.
      const ended = model.usersEnded.has(userId)
      if (this.#standing !== 'live' || (servedAs === null && !ended)) fault(3, `${this.name} may not log in`)
      return this.#refused(error, started, ended)
    }
    if (this.#standing === 'late') model.checkDead(this.#shown!, 'a login with its late token', started)
    const { id } = this.session
    if (id === null || this.session.userId !== userId) return fault(4, `${this.name} logged in, and has no session of the user's`)
    const login = { session: id, source, userId, started }
    const carry: Carry = this.#standing === 'unsure' ? { verdict: 'maybe', from: null } : model.carry(login, servedAs)
    if (source !== null) {
      if (this.#standing === 'unsure') model.end(source)
      else model.checkDead(source, 'a login', started)
    }
    this.#enter(id, userId, remember)
    this.loggedIn = true
    model.logins.push({ ...login, carry })
    if (carry.from !== null) this.#world.reached('a login follows another of the same user')
    if (carry.verdict !== 'no') for (const { write } of this.#pending) model.mayBeStored(write)
    if (carry.verdict === 'maybe') for (const one of this.#pending) one.sure = false
    if (carry.verdict === 'no') this.#pending = []
    this.#acknowledge(id, this.#pending, started)
    checkSight(this.#world, this, this.session.data)
  }

  #enter(id: string, userId: string | null, remembered: boolean): void {
    const { model } = this.#world
    model.add(id, this.browser, userId, this.session.createdAt!, remembered)
    this.#standing = 'live'
    this.#hold(id)
  }

  async #logout(): Promise<void> {
    const { model } = this.#world
    await this.settle()
    const standing = this.#standing
    const id = standing === 'live' ? this.#held : standing === 'new' ? null : this.#shown
    if (id !== null) model.logoutsTried.add(id)
    const began = this.#world.moment()
    await this.session.logout()
    if (id !== null && standing !== 'unsure' && standing !== 'late') model.endByLogout(id, began)
    if (standing === 'barred' || standing === 'late') return
    if (standing === 'unsure') {
      for (const one of this.#pending) one.sure = false
      return
    }
    this.#standing = 'new'
    this.#hold(null)
    this.#pending = []
    this.own.clear()
    this.loggedOut = true
    const tombstone = id === null ? undefined : this.#world.watch.get(id)?.tombstone
    this.overtaken = tombstone?.cause === 'login' && !tombstone.sameUser
    if (this.session.id !== null || this.session.userId !== null) this.#world.fault(2, `${this.name} logged out, and still has a session`)
  }

  /** Waits for the calls that it did not wait for. */
  async settle(): Promise<void> {
    await Promise.all(this.#beside)
  }

  /** The handler is done with its session. */
  release(): void {
    this.#hold(null)
  }

  #hold(id: string | null): void {
    const { sessions } = this.#world.model
    this.#isActive()
    if (this.#held !== null) sessions.get(this.#held)!.open--
    this.#held = id
    if (id !== null) sessions.get(id)!.open++
    this.#isActive()
  }

  #isActive(): void {
    const held = this.#held === null ? undefined : this.#world.model.sessions.get(this.#held)
    if (held !== undefined) held.active = Math.max(held.active, this.#world.clock.now())
  }
}
