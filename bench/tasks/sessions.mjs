// Sessions as a manager stores them, by the manager itself or, where that would take too long, made after one of its own.
import { randomBytes } from 'node:crypto'

export const browser = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36'

/** Some 220 bytes when encoded, different in each session. */
export const dataOf = (index) => ({
  theme: index % 2 === 0 ? 'dark' : 'light',
  visits: index,
  cart: [
    { sku: `mug-${index % 1000}`, qty: 1 + (index % 4) },
    { sku: `tea-${index % 777}`, qty: 1 },
  ],
  csrf: text(32),
  lastPage: `/articles/${index}/comments`,
})

/** Logs a user in by a request as browsers send them. @returns the cookie */
export async function logIn(sessions, index) {
  const session = await sessions.open(new Headers({ 'user-agent': browser }))
  Object.assign(session.data, dataOf(index))
  await session.login(`user-${index}`)
  const [cookie] = (await session.commit()).getSetCookie()
  return cookie.split(';')[0]
}

/** A record like one that the manager stored: every key, hash and mark in its head another, and of the same length. */
export function recordLike(sample, index, now, id = text(16)) {
  const { head } = sample
  const marks = head.slice(75).replace(/(?<="[hw]":")[\w.-]+/g, (mark) => text(mark.length))
  const data = `1\n${JSON.stringify(dataOf(index))}`
  return {
    id,
    version: 1 + Math.floor(Math.random() * 2 ** 20),
    userId: `user-${index}`,
    createdAt: now,
    lastSeenAt: now,
    expiresAt: now + (sample.expiresAt - sample.createdAt),
    // By way of bytes, so that it is one text, as what an encoder makes.
    head: Buffer.from(head[0] + text(65) + now.toString(36).padStart(9, '0') + marks).toString(),
    data,
  }
}

export const payloadOf = ({ data, userId }) => Buffer.byteLength(data) + Buffer.byteLength(userId ?? '')

const pool = Buffer.alloc(1 << 16)
let used = pool.length

/** Random characters of base64url. */
export function text(length) {
  const bytes = Math.ceil((length * 3) / 4)
  if (used + bytes > pool.length) {
    randomBytes(pool.length).copy(pool)
    used = 0
  }
  used += bytes
  return pool.toString('base64url', used - bytes, used).slice(0, length)
}
