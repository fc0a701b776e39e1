import { SojournError } from './errors.ts'

/**
 * An option that does nothing, misspelt or of another library, is a promise that nobody keeps.
 *
 * @param where what stands before the options' names in messages, such as 'cookie.'
 * @throws ERR_SOJOURN_OPTION naming the option and those that there are
 */
export function checkKeys(options: object | undefined, names: readonly string[], where: string): void {
  const unknown = Object.keys(options ?? {}).find((key) => !names.includes(key))
  if (unknown === undefined) return
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    `${where}${unknown} is no option; there are ${names.map((name) => where + name).join(', ')}.`,
  )
}
