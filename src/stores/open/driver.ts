import { SojournError } from '../../core/errors.ts'
import type { Store } from '../../core/store.ts'

/** How long a connection may take, in ms: as long as a verb, by default. */
export const connectLimit = 2000

const openLimit = 10_000

/** @throws ERR_SOJOURN_OPTION (as a rejection) if the package is not installed */
export async function driver<Module>(name: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load()
  } catch (cause) {
    if (!isAbsent(cause)) throw cause
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      `The store's URL needs the package ${name}, which is not installed. Run: npm install ${name}`,
      {
        cause,
      },
    )
  }
}

export function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'MODULE_NOT_FOUND')
}

/** Connects a store, and makes its schema; where that fails, nothing stays open. */
export async function ready<S extends Store>(store: S, prepare: (store: S) => Promise<unknown>): Promise<S> {
  const { promise, reject } = withReject()
  const late = setTimeout(() => reject(new Error(`there was no answer within ${openLimit / 1000} s`)), openLimit)
  try {
    await Promise.race([prepare(store), promise])
    return store
  } catch (cause) {
    void Promise.resolve(store.close()).catch(() => {})
    if (cause instanceof SojournError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new SojournError(
      'ERR_SOJOURN_STORE',
      `The store ${store.name} could not be opened: ${reason}. Look whether it is up and can be reached.`,
      {
        cause,
      },
    )
  } finally {
    clearTimeout(late)
  }
}

function withReject(): { promise: Promise<never>; reject: (error: Error) => void } {
  let reject!: (error: Error) => void
  return { promise: new Promise<never>((_, rejectIt) => (reject = rejectIt)), reject }
}
