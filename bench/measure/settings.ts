/** How long and how often everything is measured. `npm run bench -- --rounds=9 --seconds=5` sets it. */
export interface Settings {
  /** How often each server is loaded, one after the other and again. At least five, for results that are kept. */
  readonly rounds: number
  /** Seconds of load that count, in each round. */
  readonly seconds: number
  /** Seconds of load before those. */
  readonly warmUp: number
  /** Open connections of the load generator. */
  readonly connections: number
}

export const settings: Settings = {
  rounds: number('rounds', 5),
  seconds: number('seconds', process.argv.includes('--quick') ? 2 : 3),
  warmUp: number('warm-up', 1),
  connections: 32,
}

function number(name: string, usual: number): number {
  const given = process.argv.find((argument) => argument.startsWith(`--${name}=`))
  if (given === undefined) return usual
  const value = Number(given.slice(name.length + 3))
  if (!Number.isInteger(value) || value < 1) throw new Error(`${given} must give a whole number from 1 up.`)
  return value
}
