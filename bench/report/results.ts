import type { Finding, Row } from '../row.ts'

/** What measuring one row came to. */
export interface Result {
  readonly row: Row
  readonly findings: readonly Finding[]
  /** Why it could not be measured. */
  readonly failure: string | null
  readonly seconds: number
}

export async function writeResults(_results: readonly Result[]): Promise<void> {
  throw new Error('not yet')
}
