import type { Sessions } from '../../src/core/sessions.ts'
import type { Store } from '../../src/core/store.ts'
import { createSessions, type SessionsOptions } from '../../src/sessions.ts'
import type { Database } from './database.ts'
import { SimulatedStore } from './simulated-store.ts'

export interface Data {
  text: string
  count: number
}

export interface FleetOptions {
  readonly database: Database
  readonly processes: number
  /** The store of one process. @default the database, with nothing in front */
  readonly storeOver?: ((database: Database) => Store) | undefined
  readonly sessions?: Omit<SessionsOptions<Data>, 'store' | 'clock' | 'initial'>
  readonly on?: (sessions: Sessions<Data>) => void
}

/** The processes of an application, each with a manager of its own: the real one. */
export class Fleet {
  readonly options: FleetOptions
  processes: readonly Sessions<Data>[]

  constructor(options: FleetOptions) {
    this.options = options
    this.processes = this.#start()
  }

  /** All at once: every near-cache is empty afterwards. */
  restart(): void {
    const old = this.processes
    this.processes = this.#start()
    for (const sessions of old) void sessions.close()
  }

  #start(): Sessions<Data>[] {
    const { database, processes, storeOver = (database) => new SimulatedStore(database), sessions = {}, on } = this.options
    return Array.from({ length: processes }, () => {
      const started = createSessions<Data>({
        ...sessions,
        store: storeOver(database),
        clock: database.options.time.clock,
        initial: () => ({ text: '', count: 0 }),
        // Each process here may stand for many.
        limits: { anonymousTotal: Infinity, unknownPerAddress: Infinity },
      })
      // Counted; a process would log them.
      started.on('error', () => database.options.tally.add('errors'))
      on?.(started)
      return started
    })
  }
}
