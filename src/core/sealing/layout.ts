import type { SessionRecord } from '../store.ts'
import { sealHeader } from './seal.ts'

/*
 * How the head of a sealed record lies:
 *
 *   s  ID of the server's key (8)  MAC (43)  owner  .  wraps  .  handed on  .  the core's own head
 *
 * and its data: empty, or
 *
 *   s  ID of the server's key (8)  sealed      by the server's keys alone
 *   c  sealed                                  by the key of its client
 */
const mark = 's'
const keyAt = 1
const macAt = 9
const bodyAt = macAt + 43

/** What the head of a sealed record holds beside the core's own. */
export interface Parts {
  /** Whose the session is, and its device, sealed; empty where there is nothing to tell. */
  readonly owner: string
  /** The client's key, wrapped for each secret; empty for a session that is not bound to its client. */
  readonly wraps: string
  /** In the tombstone of a login: the key of the session that it was moved to. */
  readonly handed: string
  readonly head: string
}

export function isSealed(head: string): boolean {
  return head.startsWith(mark)
}

/** The ID of the server's key that a record was sealed under. */
export function keyIdOf(head: string): string {
  return head.slice(keyAt, macAt)
}

export function joinParts({ owner, wraps, handed, head }: Parts): string {
  return `${owner}.${wraps}.${handed}.${head}`
}

/** Null for a head that nobody wrote. Base64url has no full stop, and the core's own head is the last. */
export function partsOf(stored: string): Parts | null {
  const first = stored.indexOf('.', bodyAt)
  const second = stored.indexOf('.', first + 1)
  const third = stored.indexOf('.', second + 1)
  if (first === -1 || second === -1 || third === -1) return null
  return {
    owner: stored.slice(bodyAt, first),
    wraps: stored.slice(first + 1, second),
    handed: stored.slice(second + 1, third),
    head: stored.slice(third + 1),
  }
}

export const headMacAt = macAt

export function formatHead(keyId: string, mac: string, body: string): string {
  return mark + keyId + mac + body
}

/**
 * What the MAC covers: all of a record but its last use and its expiry, which a touch changes without reading it. Of the data
 * the tag stands for the rest. No part can hold the line ends between them.
 *
 * @param body the parts of the head, joined
 */
export function authenticated({ id, version, userId, createdAt, data }: Omit<SessionRecord, 'head'>, body: string): string {
  return `${id}\n${version}\n${userId ?? ''}\n${createdAt}\n${tagOf(data)}\n${body}`
}

/** The parts of a stored head, joined. */
export function bodyOf(stored: string): string {
  return stored.slice(bodyAt)
}

export function formatServerData(keyId: string, sealed: string): string {
  return `s${keyId}${sealed}`
}

export function formatClientData(sealed: string): string {
  return `c${sealed}`
}

/** How a record's data are sealed; null for data that nobody wrote so. */
export function dataOf(data: string): { readonly keyId: string | null; readonly sealed: string } | null {
  if (data.startsWith('s')) return { keyId: data.slice(keyAt, macAt), sealed: data.slice(macAt) }
  if (data.startsWith('c')) return { keyId: null, sealed: data.slice(1) }
  return null
}

function tagOf(data: string): string {
  return data.slice(0, (data.startsWith('s') ? macAt : 1) + sealHeader)
}
