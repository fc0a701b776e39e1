import { measured, reached, tableOf } from './report/table.ts'
import * as express from './rows/express.ts'
import * as nodeHttp from './rows/node-http.ts'
import type { Finding } from './row.ts'

/** Below this part of its goal a figure is no noise: something has become slower. */
const enough = 0.9

/** The findings that are below nine tenths of their goals. */
export function slowOf(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(({ value, goal }) => goal !== undefined && 'atLeast' in goal && (value ?? 0) < enough * goal.atLeast)
}

/**
 * The two rows that show at once when sessions have become slower, in under three minutes and without a database.
 *
 * @returns whether each figure reaches nine tenths of its goal
 */
export async function quick(tell: (line: string) => void): Promise<boolean> {
  const findings: Finding[] = []
  for (const { name, quick } of [
    { name: 'node:http', quick: nodeHttp.quick },
    { name: 'Express', quick: express.quick },
  ]) {
    tell(name)
    findings.push(...(await quick(tell)).map((finding) => ({ ...finding, what: `${name}, memory: ${finding.what}` })))
  }
  console.log(`\n${tableOf(findings)}\n`)
  const slow = slowOf(findings)
  for (const finding of slow) console.log(`${finding.what} is ${measured(finding)}, below nine tenths of its goal.`)
  if (slow.length === 0)
    console.log(`Each is above nine tenths of its goal${findings.every((one) => reached(one) !== false) ? ', and reaches it' : ''}.`)
  return slow.length === 0
}
