import type { SessionRecord } from '../../core/store.ts'
import type { Bucket } from './expiry.ts'

/** One session in memory: its record, and its place in each list that it stands in. */
export interface Entry {
  record: SessionRecord
  bytes: number
  /** Its neighbours in the order of use. */
  newer: Entry | null
  older: Entry | null
  /** Its expiry bucket, and its index there. */
  bucket: Bucket | null
  slot: number
}
