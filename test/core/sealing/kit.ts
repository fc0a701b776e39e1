import { createHmac, hash } from 'node:crypto'
import { parseKeys } from '../../../src/core/keyring.ts'
import { unseal } from '../../../src/core/sealing/seal.ts'
import { ServerKey } from '../../../src/core/sealing/server-keys.ts'
import type { SessionRecord, Store } from '../../../src/core/store.ts'
import { disk } from '../../../src/stores/disk.ts'
import { memory } from '../../../src/stores/memory.ts'
import { newFolder } from '../../stores/disk-folder.ts'

export const binds = ['server', 'client'] as const

export const [first, second, third] = ['0123456789abcdef', 'fedcba9876543210', '0f1e2d3c4b5a6978'].map((text) => text.repeat(4)) as [
  string,
  string,
  string,
]

export const stores: readonly (readonly [name: string, open: () => Store])[] = [
  ['memory', () => memory()],
  ['disk', () => disk(newFolder())],
]

/** All that a store holds. */
export async function dump(store: Store): Promise<SessionRecord[]> {
  const records: SessionRecord[] = []
  for await (const record of store.list()) records.push(record)
  return records
}

/** Other text in a record's place, under the same version, as only somebody with a hand in the database can put it. */
export async function plant(store: Store, record: SessionRecord): Promise<void> {
  await store.delete(record.id)
  await store.put(record, 0)
}

/** Where the sealed parts of a text are: forty characters of header at least, which begin with the number of their layout. */
function sealedIn(text: string): string[] {
  return Array.from(text.matchAll(/(?=(AA[E-H][\w-]{41,}))/g), ([, sealed]) => sealed!)
}

/**
 * Reads what it can of stolen records, with the server's keys and, perhaps, a stolen cookie: every key that the code derives from
 * anything that is there, and some that it does not, against everything that may be sealed; then again with what that has opened.
 */
export function attack(records: readonly SessionRecord[], serverKeys: readonly string[], stolen: readonly string[] = []): string[] {
  const all = parseKeys(serverKeys).all.map((key) => new ServerKey(key))
  const texts = records.flatMap(({ head, data }) => [head, data])
  const words = new Set([...records.map(({ id }) => id), ...texts.flatMap((text) => text.match(/[\w-]{22,64}/g) ?? []), ...stolen])
  // Each hash in a head, also one that stands behind something else.
  for (const { head } of records)
    for (let at = 0; at + 43 <= head.length; at++) if (!head.slice(at, at + 43).includes('.')) words.add(head.slice(at, at + 43))
  const keys = [...words].flatMap((word) => [
    ...all.flatMap((key) => [key.wrapKey(word), key.ownerKey(word), key.dataKey(word)]),
    hash('sha256', word, 'buffer'),
  ])
  const sealed = [...new Set(texts.flatMap(sealedIn))]
  const opened: string[] = []
  let fresh = keys
  while (fresh.length > 0) {
    const found: Buffer[] = []
    for (const key of fresh) for (const text of sealed) collect(key, text)
    // What was opened may be a session's key itself.
    fresh = found.flatMap((bytes) =>
      bytes.length === 32 ? ['data', ...records.map(({ id }) => `moved to ${id}`)].map((label) => derived(bytes, label)) : [],
    )
    function collect(key: Buffer, text: string): void {
      // A seal's end is not marked: what follows it in a head is a full stop, or, in wraps, the next of a known length.
      for (const candidate of [text, text.slice(0, 83)]) {
        const plain = unseal(key, candidate)
        if (plain === null) continue
        found.push(plain)
        opened.push(plain.toString())
      }
    }
  }
  return opened
}

function derived(bytes: Buffer, label: string): Buffer {
  return createHmac('sha256', bytes).update(`sojourn ${label}`).digest()
}
