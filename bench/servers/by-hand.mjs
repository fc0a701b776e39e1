// The least that a session must do, written out for these servers alone: find it by its cookie, compare the hash of its secret, see that
// its time is not over, give the handler data of its own, keep what changed, tell caches that the answer is private. Nothing is renewed,
// merged, bounded, cleaned up or reported, and no other store, framework or wrong input is thought of. What a bare server loses to this,
// a session library hardly spares.
import { hash, randomBytes } from 'node:crypto'
import { ServerResponse } from 'node:http'
import { initial } from './work.mjs'

/** @typedef {{ hash: string, expiresAt: number, text: string, data: object }} Stored */

/** @type {Map<string, Stored>} */
const stored = new Map()
const idle = 30 * 60_000
const ownHeaders = ['Cache-Control', 'private']
/** @type {any} */
const writeHead = Reflect.get(ServerResponse.prototype, 'writeHead')

class Session {
  #id
  #stored
  /** @type {any} */
  #data = null

  constructor(/** @type {string} */ id, /** @type {Stored} */ known) {
    this.#id = id
    this.#stored = known
  }

  /** A copy, or requests at once would see each other's changes before they are kept. */
  get data() {
    return (this.#data ??= copy(this.#stored.data))
  }

  /** @returns what is kept; null where nothing changed */
  settle() {
    if (this.#data === null || same(this.#stored.data, this.#data)) return null
    const text = JSON.stringify(this.#data)
    stored.set(this.#id, { ...this.#stored, text, data: copy(this.#data) })
    return text
  }
}

/** Begins a session. @returns what is to be sent as Set-Cookie */
export function begin() {
  const token = randomBytes(36).toString('base64url')
  const data = initial()
  stored.set(token.slice(0, 16), { hash: hashOf(token.slice(16)), expiresAt: Date.now() + idle, text: JSON.stringify(data), data })
  return `sid=${token}; Path=/; HttpOnly; SameSite=Lax`
}

/** @param {import('node:http').IncomingMessage} req @returns {Session | null} */
export function find(req) {
  const { cookie = '' } = req.headers
  const at = cookie.indexOf('sid=')
  if (at === -1) return null
  const id = cookie.slice(at + 4, at + 20)
  const known = stored.get(id)
  if (known === undefined || known.expiresAt < Date.now()) return null
  return hashOf(cookie.slice(at + 20, at + 52)) === known.hash ? new Session(id, known) : null
}

/** @param {import('node:http').ServerResponse} res @param {Session} session settled before the head goes out */
export function settleBefore(res, session) {
  const own = /** @type {any} */ (res)
  own[held] = session
  own.writeHead = settleFirst
}

const held = Symbol('session')

/** @this {any} */
function settleFirst(/** @type {number} */ status) {
  this[held].settle()
  return writeHead.call(this, status, this.getHeaderNames().length === 0 ? ownHeaders : { 'Cache-Control': 'private' })
}

/** @typedef {{ get(key: string): string | Promise<string>, set(key: string, text: string): Promise<unknown> }} Store */

/** The same in a store. */
export async function beginIn(/** @type {Store} */ store) {
  const token = randomBytes(36).toString('base64url')
  await store.set(token.slice(0, 16), JSON.stringify({ hash: hashOf(token.slice(16)), expiresAt: Date.now() + idle, data: initial() }))
  return `sid=${token}; Path=/; HttpOnly; SameSite=Lax`
}

export async function findIn(/** @type {Store} */ store, /** @type {import('node:http').IncomingMessage} */ req) {
  const { cookie = '' } = req.headers
  const at = cookie.indexOf('sid=') + 4
  const id = cookie.slice(at, at + 16)
  const kept = JSON.parse(await store.get(id))
  if (kept.expiresAt < Date.now() || hashOf(cookie.slice(at + 16, at + 48)) !== kept.hash) throw new Error('no session')
  return { data: kept.data, keep: () => store.set(id, JSON.stringify(kept)) }
}

const hashOf = (/** @type {string} */ secret) => hash('sha256', secret, 'base64url')

/** @returns {any} */
function copy(/** @type {any} */ value) {
  if (typeof value !== 'object' || value === null) return value
  const made = Array.isArray(value) ? value.slice() : { ...value }
  for (const key in made) if (typeof made[key] === 'object' && made[key] !== null) made[key] = copy(made[key])
  return made
}

function same(/** @type {any} */ a, /** @type {any} */ b) {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  let more = 0
  for (const key in a) {
    if (a[key] !== b[key] && !same(a[key], b[key])) return false
    more++
  }
  for (const _ in b) more--
  return more === 0
}
