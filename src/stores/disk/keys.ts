import { hash } from 'node:crypto'

const hashBytes = 16

/** Where the expiry index has a record: in the order of the times, then of the IDs. */
export function expiryKey(expiresAt: number, id: string): Buffer {
  const key = Buffer.allocUnsafe(8 + id.length)
  writeOrdered(key, expiresAt)
  key.write(id, 8, 'latin1')
  return key
}

/** Just after all that expires at this moment. */
export function afterExpiry(moment: number): Buffer {
  const key = Buffer.alloc(9, 0xff)
  writeOrdered(key, moment)
  return key
}

export function idOfExpiryKey(key: Buffer): string {
  return key.toString('latin1', 8)
}

/** Where the user index has a record. By the user's hash, for lmdb's keys end at 1978 bytes and a user's ID does not. */
export function userKey(userId: string, id: string): Buffer {
  const key = Buffer.allocUnsafe(hashBytes + id.length)
  hash('sha256', userId, 'buffer').copy(key, 0, 0, hashBytes)
  key.write(id, hashBytes, 'latin1')
  return key
}

/** Just after all of a user's: IDs are ASCII. */
export function afterUser(userId: string): Buffer {
  return userKey(userId, '\xff')
}

export function idOfUserKey(key: Buffer): string {
  return key.toString('latin1', hashBytes)
}

// The bytes of positive doubles sort as the numbers do once the sign is set, those of negative ones once all bits are turned.
function writeOrdered(key: Buffer, value: number): void {
  key.writeDoubleBE(value + 0, 0)
  if (key[0]! < 0x80) key[0] = key[0]! | 0x80
  else for (let index = 0; index < 8; index++) key[index] = ~key[index]!
}
