/** Owns a folder in overflow mode: inserts sessions, ends one that was saved, says so, and goes on inserting until it is killed. Arguments: folder, count, backup in ms. */
import { setTimeout as pause } from 'node:timers/promises'
import { disk } from '../../../src/stores/disk.ts'
import { tiered } from '../../../src/stores/tiered.ts'
import { after, newRecord } from '../../../src/testing/store-cases/rule.ts'

const [folder, count, backup] = process.argv.slice(2)
const store = tiered({ mode: 'overflow', backup: Number(backup), next: disk(folder!) })
const ids: string[] = []
for (let i = 0; i < Number(count); i++) {
  const record = newRecord({ data: `${i}` })
  await store.put(record, 0)
  ids.push(record.id)
}
const ended = newRecord()
await store.put(ended, 0)
await pause(Number(backup) + 1500)
await store.put(after(ended, { data: '', head: 't{}' }), ended.version)
console.log(JSON.stringify({ ids, ended: ended.id }))
for (;;) {
  const late = newRecord()
  await store.put(late, 0)
  console.log(JSON.stringify(late.id))
  await pause(20)
}
