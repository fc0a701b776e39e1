import { checkUserId, type Core } from '../core/core.ts'
import { SojournError } from '../core/errors.ts'
import { run } from '../core/routine.ts'
import { Sweeper } from '../core/sweeper.ts'
import { isSessionId, type SessionId } from '../core/token.ts'
import { SealedManager, type SealedManagerOptions, type SealedSessions } from './manager.ts'
import { Revocations } from './revocations.ts'

/** Sealed sessions with a revocation list: they can be ended from outside. */
export interface RevocableSealedSessions<Data extends object> extends SealedSessions<Data> {
  /** Ends a session, whether or not there is one: nobody but its client knows. @throws ERR_SOJOURN_STORE */
  end(id: SessionId): Promise<void>
  /** Ends all sessions of a user that began until now, but the one named. @throws ERR_SOJOURN_STORE */
  endUser(userId: string, options?: { readonly except?: SessionId | null | undefined }): Promise<void>
  /** Removes from the list what has expired, now; it happens by itself as well. @returns how many entries went */
  sweep(): Promise<number>
}

/** The manager with a list, which it sweeps and closes. */
export class RevocableSealedManager<Data extends object> extends SealedManager<Data> implements RevocableSealedSessions<Data> {
  readonly #core: Core
  readonly #list: Revocations
  readonly #sweeper: Sweeper
  #closing: Promise<void> | null = null

  constructor(options: Omit<SealedManagerOptions<Data>, 'revocations'>, core: Core, sweepInterval: number) {
    const list = new Revocations(core)
    super({ ...options, revocations: list })
    this.#core = core
    this.#list = list
    this.#sweeper = new Sweeper(core, sweepInterval)
    core.store.onEvicted = ({ id }) => {
      const error = new SojournError(
        'ERR_SOJOURN_STORE_FULL',
        `The store of the revocation list (${core.store.name}) dropped the entry ${id} for want of room, so what had ended may be opened again; give it more room.`,
      )
      this.report(error, id)
    }
  }

  async end(id: SessionId): Promise<void> {
    if (!isSessionId(id)) return
    const { clock, events, policy } = this.#core
    const until = clock.now() + Math.max(policy.visit.absolute, policy.remembered.absolute)
    const ended = await run(this.#list.add(id, until))
    if (ended) events.emit('ended', { id, userId: null, reason: 'ended' })
  }

  async endUser(userId: string, { except }: { readonly except?: SessionId | null | undefined } = {}): Promise<void> {
    checkUserId(userId, 'endUser')
    await run(this.#list.cutOff(userId, except ?? null))
  }

  sweep(): Promise<number> {
    return this.#sweeper.sweep()
  }

  override close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    await super.close()
    await this.#sweeper.close()
    await this.#core.store.close()
  }
}
