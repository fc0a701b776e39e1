// Fills a new folder of the disk store: through lmdb itself, in large transactions whose keys come in order. By the store's own verbs
// ten million would take an hour. From src, by tsx: dist has no files of the store's inside.
import { createSessions } from '../../src/index.ts'
import { openEnvironment } from '../../src/stores/disk/environment.ts'
import { expiryKey } from '../../src/stores/disk/keys.ts'
import { encode } from '../../src/stores/disk/record.ts'
import { memory } from '../../src/stores/memory.ts'
import { logIn, recordLike, text } from './sessions.mjs'

const [folder, count] = [process.argv[2], Number(process.argv[3])]

const sample = await sampleRecord()
const environment = await openEnvironment(`disk:${folder}`, folder, 64 * 2 ** 30)
const { root, sessions, expiry } = environment
// In the order of their codes, which is that of the keys.
const alphabet = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz'
const now = Date.now()
const perTransaction = 50_000
for (let from = 0; from < count; from += perTransaction) {
  root.transactionSync(() => {
    for (let index = from; index < Math.min(from + perTransaction, count); index++) {
      // Visitors: the index of users has those alone who come by the manager.
      const record = { ...recordLike(sample, index, now + Math.floor((index / count) * 1_800_000), idAt(index)), userId: null }
      const stamp = Math.random()
      sessions.putSync(record.id, encode(record, stamp), stamp)
      expiry.putSync(expiryKey(record.expiresAt, record.id), Buffer.alloc(0))
    }
  })
}
await environment.door.leave(async () => await root.close())
console.log(JSON.stringify({ count }))

function idAt(index) {
  let rest = Math.floor((index / count) * 64 ** 5)
  let start = ''
  for (let place = 0; place < 5; place++, rest = Math.floor(rest / 64)) start = alphabet[rest % 64] + start
  return start + text(11)
}

async function sampleRecord() {
  const store = memory()
  const manager = createSessions({ store, initial: () => ({}) })
  await logIn(manager, 0)
  const { value } = await store.list().next()
  await manager.close()
  return value
}
