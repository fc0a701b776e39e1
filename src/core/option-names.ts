import { SojournError } from './errors.ts'

/**
 * An option that does nothing, misspelt or of another library, is a promise that nobody keeps.
 *
 * @throws ERR_SOJOURN_OPTION
 */
export function checkKeys(options: object | undefined, names: readonly string[], where: string): void {
  const unknown = Object.keys(options ?? {}).find((key) => !names.includes(key))
  if (unknown === undefined) return
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    `${where}${unknown} is no option; there are ${names.map((name) => where + name).join(', ')}.`,
  )
}
