import { SojournError } from '../errors.ts'
import { isPromise } from '../routine.ts'
import type { ChangeListener, GetOptions, Maybe, Removed, SessionRecord, Store, Swept, Touch } from '../store.ts'
import { sameHash } from '../token.ts'
import { ClientKey } from './client-key.ts'
import { authenticated, bodyOf, headMacAt, isSealed, keyIdOf, partsOf } from './layout.ts'
import { Owner } from './owner.ts'
import { keyUnknown, SealedRecord, type SealingContext, tampered } from './sealed-record.ts'

/**
 * Stands between the core and the store: what goes to the store is sealed, what comes from it is no record before its MAC was
 * found right. What another key sealed, or somebody changed, is reported and is not there: neither opened nor ever written over,
 * since a write lands only on a version that was read. Only a sweep removes it, when its time has come.
 */
export class SealedStore implements Store {
  readonly name: string
  readonly caches: boolean
  readonly time?: () => Maybe<number>
  readonly watchChanges?: (listener: ChangeListener) => () => void
  readonly #store: Store
  readonly #context: SealingContext

  constructor(store: Store, context: SealingContext) {
    this.name = store.name
    this.caches = store.caches === true
    this.#store = store
    this.#context = context
    if (store.time !== undefined) this.time = () => store.time!()
    if (store.watchChanges !== undefined) this.watchChanges = (listener) => store.watchChanges!(listener)
  }

  set onEvicted(listener: ((removed: Removed) => void) | undefined) {
    this.#store.onEvicted = listener === undefined ? undefined : (removed) => listener(this.#told(removed))
  }

  get(id: string, options?: GetOptions): Maybe<SessionRecord | null> {
    const found = this.#store.get(id, options)
    if (this.caches && options?.fresh !== true) {
      return isPromise(found) ? found.then((stored) => this.#openCached(stored)) : this.#openCached(found)
    }
    return isPromise(found) ? found.then((stored) => this.#open(stored)) : this.#open(found)
  }

  put(record: SessionRecord, expected: number): Maybe<boolean> {
    return this.#store.put(sealedOf(record).stored, expected)
  }

  /** Touches bear the user's name as the stored record has it. */
  touch(batch: readonly Touch[]): Maybe<void> {
    return this.#store.touch(batch)
  }

  delete(id: string): Maybe<boolean> {
    return this.#store.delete(id)
  }

  /**
   * A user is called otherwise under each key, and a write moves a record to the name that its process writes. While processes
   * with the old order of keys and with the new one write at once that may be either way, so both ways are gone.
   */
  async *list(userId?: string): AsyncGenerator<SessionRecord, void> {
    const { all } = this.#context.keys
    const under = userId === undefined ? [undefined] : all.map((key) => key.nameOf(userId))
    const names = [...under.slice(1).toReversed(), ...under]
    const listed = new Set<string>()
    for (const name of names) {
      for await (const stored of this.#store.list(name)) {
        const record = listed.has(stored.id) ? null : this.#open(stored)
        if (record === null) continue
        if (names.length > 1) listed.add(stored.id)
        yield record
      }
    }
  }

  sweep(now: number, limit: number): Maybe<Swept> {
    const told = ({ removed, more }: Swept): Swept => ({ removed: removed.map((one) => this.#told(one)), more })
    const swept = this.#store.sweep(now, limit)
    return isPromise(swept) ? swept.then(told) : told(swept)
  }

  close(): Maybe<void> {
    return this.#store.close()
  }

  /** One that can't be opened may be old: it is read again, and told of only then. */
  #openCached(stored: SessionRecord | null): Maybe<SessionRecord | null> {
    if (stored === null) return null
    return this.#open(stored, true) ?? this.get(stored.id, { fresh: true })
  }

  #open(stored: SessionRecord | null, quietly = false): SealedRecord | null {
    if (stored === null) return null
    const { id, head, data } = stored
    const { keys, report } = this.#context
    const refuse = (error: SojournError): null => {
      if (!quietly) report(error, id)
      return null
    }
    if (!isSealed(head)) return refuse(keyUnknown(id, 'it was stored without encryption'))
    const key = keys.byId(keyIdOf(head))
    if (key === null) return refuse(keyUnknown(id, `it was sealed under the key ${printable(keyIdOf(head))}, which is none of these`))
    const parts = sameHash(head, headMacAt, key.mac(authenticated(stored, bodyOf(head)))) ? partsOf(head) : null
    if (parts === null) return refuse(tampered(id, 'the record'))
    const owner = Owner.read(keys, id, stored.userId, parts.owner)
    if (owner === null) return refuse(keyUnknown(id, 'its user was sealed under a key that is none of these'))
    const client = parts.wraps === '' ? null : ClientKey.locked()
    const { version, createdAt, lastSeenAt, expiresAt } = stored
    const { wraps, handed } = parts
    const fields = { id, version, createdAt, lastSeenAt, expiresAt, head: parts.head, key, owner, client, wraps, handed }
    return new SealedRecord({ keys, report }, fields, data, null)
  }

  /** Of a record that is gone there is no whole to authenticate: its user is told if it was sealed for this very session. */
  #told(removed: Removed): Removed {
    const { id, userId, head } = removed
    const parts = isSealed(head) ? partsOf(head) : null
    if (parts === null) return removed
    const owner = Owner.read(this.#context.keys, id, userId, parts.owner)
    return { id, userId: owner?.userId ?? null, head: parts.head }
  }
}

/** What the core hands over was made by it for this store, sealed: anything else would be stored as it is. */
function sealedOf(record: SessionRecord): SealedRecord {
  if (record instanceof SealedRecord) return record
  throw new SojournError(
    'ERR_SOJOURN_STORE',
    `Session ${record.id} was about to be stored without encryption, and was not; this is a mistake of sojourn's: report it.`,
  )
}

/** What stands in a store may be anybody's. */
function printable(text: string): string {
  return JSON.stringify(text)
}
