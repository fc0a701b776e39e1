import type { Removed, SessionRecord } from '../../core/store.ts'

// What a session costs beside its text: objects, boxed numbers, links, its share of each index. Measured on Node 20 as 340
// bytes for one of many that expire in the same second, up to 550 for one with a second of its own, and up to 230 more for
// a user with a single session; test/stores/memory-records.test.ts measures again.
const overhead = 550
const userOverhead = 230

export function sizeOf({ id, userId, head, data }: SessionRecord): number {
  const user = userId === null ? 0 : userOverhead + textSize(userId)
  return overhead + user + textSize(id) + textSize(head) + textSize(data)
}

export function reportSize({ userId, head }: Removed): number {
  return 100 + textSize(userId ?? '') + textSize(head)
}

// V8 keeps text in one byte a character where all are Latin-1, else in two. Asking only for ASCII is quick and never too low.
function textSize(text: string): number {
  return Buffer.byteLength(text) === text.length ? text.length : 2 * text.length
}
