import { SojournError } from '../core/errors.ts'
import type { Store } from '../core/store.ts'

/** Opens a store from what stands after the scheme. Its driver is loaded here, so only by those who name the scheme. */
type Open = (rest: string) => Promise<Store>

const schemes: ReadonlyMap<string, { readonly form: string; readonly open: Open }> = new Map([
  ['memory', { form: 'memory:', open: async (rest) => (await import('./memory.ts')).memory(nothingAfter('memory:', rest)) }],
  ['disk', { form: 'disk:./path/of/a/folder', open: async (rest) => (await import('./disk.ts')).disk(rest) }],
])

/**
 * Opens the store that a URL names, such as the one in an environment variable: `memory:` or `disk:./.data/sessions`.
 *
 * For a store's options call its own function: `disk(path, { durability: 'flushed' })`.
 *
 * @throws SojournError (as a rejection) `ERR_SOJOURN_OPTION` for a URL of no known store, and what the store itself throws.
 *   No message holds more of the URL than its scheme: there may be a password in it.
 */
export async function openStore(url: string): Promise<Store> {
  const [, scheme, rest] = /^([a-z][a-z\d+.-]{0,31}):(.*)$/is.exec(url) ?? []
  const known = schemes.get(scheme?.toLowerCase() ?? '')
  if (known !== undefined) return await known.open(rest!)
  const forms = Array.from(schemes.values(), ({ form }) => form).join(', ')
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    scheme === undefined
      ? `The store's URL does not begin with a scheme. Known are: ${forms}`
      : `The store's URL begins with '${scheme}:', which is no store that is known here. Known are: ${forms}`,
  )
}

function nothingAfter(form: string, rest: string): undefined {
  if (rest === '') return
  throw new SojournError('ERR_SOJOURN_OPTION', `The store's URL has something after '${form}', where nothing belongs.`)
}
