/*
 * How a record lies in its block, in words: what is fixed, then (for a user's) its place among the user's sessions, then (for one
 * that goes on in other blocks) the first of those, then its texts in bytes.
 */

/** What it is, see below; never 0 in a block in use. */
export const META = 0
/** Three words: the ID's 96 bits, or the hash of one of another shape. */
export const ID = 1
/** The next record in the ID table's chain. */
export const CHAIN = 4
/** Neighbours in the order of use. */
export const NEWER = 5
export const OLDER = 6
/** Neighbours among those that expire in the same second, in a ring. */
export const DUE_NEXT = 7
export const DUE_PREV = 8
/** The lower 32 bits of `createdAt`, and how much later the other times are. */
export const CREATED = 9
export const SEEN = 10
export const EXPIRES = 11
/** Neighbours among a user's sessions. Of the first one, `USER_PREV` is the next user in the user table's chain. */
export const USER_NEXT = 12
export const USER_PREV = 13

export const fixedWords = 12
export const userWords = 2

/** Where a record goes on: the next such block, the one before it, then bytes. */
export const MORE_NEXT = 1
export const MORE_PREV = 2
export const moreWords = 3

// Bits of META: a record (or else what one goes on in), then what it is.
export const RECORD = 1
export const CONTINUED = 2
export const USER = 4
/** It stands for its user in the user table. */
export const FIRST = 8
/** Its ID is not 16 characters of base64url, and stands among its texts. */
export const ODD = 16
/** Its times don't fit the fixed part, and stand among its texts. */
export const WIDE = 32
export const MORE = 64
/** Two bits: how the data are encoded. */
export const dataShift = 7
/** A byte: the shape of the head. */
export const shapeShift = 9
/** The rest: the upper bits of `createdAt`. */
export const createdShift = 17
export const latestCreated = 2 ** 45

/** Where the texts begin. */
export function textAt(meta: number): number {
  return fixedWords + (meta & USER ? userWords : 0) + (meta & MORE ? 1 : 0)
}

/** Whether a time, or how much later one is, can be kept in words; the bound is that of its place. */
export function fits(time: number, bound: number): boolean {
  // -0 would come back as 0.
  return time >= 0 && time < bound && Number.isInteger(time) && !Object.is(time, -0)
}
