import { SojournError } from '../core/errors.ts'
import type { RequestView } from '../core/request.ts'
import type { Header, SealTransport } from '../core/transport.ts'
import { bytesAtMost, CookieForm, type CookieOptions, readCookie } from './cookie.ts'

/** How much all chunks together may take at most: beyond that no server in use reads the header. */
const sizeAtMost = 32 * 1024
const chunkAtLeast = 1024
/** The first chunk begins with the number of chunks, in one of these. */
const counts = '123456789abcdefghijklmnopqrstuvwxyz'
const longestSuffix = '.34'

/**
 * A long value in as many cookies as it takes: `sid`, `sid.1`, `sid.2` and so on. The first one says how many there are; whether
 * they belong together is for the value itself to prove, which must be sealed.
 *
 * @param maxSize how many bytes they may take in a Cookie header, names and all
 * @throws ERR_SOJOURN_OPTION for attributes that browsers would refuse, or that leave no room
 */
export function chunkedCookie(options: CookieOptions, maxSize: number): SealTransport {
  const form = new CookieForm(options)
  // Some browsers count the attributes too: the whole header stays within what they keep.
  const room = bytesAtMost - form.overhead - longestSuffix.length
  if (room < chunkAtLeast)
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      `The names and attributes in the option cookie leave ${room} of the ${bytesAtMost} bytes that browsers keep; shorten cookie.name, cookie.domain or cookie.path.`,
    )
  if (maxSize > sizeAtMost)
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      `maxCookieSize is ${maxSize} bytes, and servers read no more than ${sizeAtMost} of cookies; keep such sessions in a store, by createSessions().`,
    )

  return {
    nameFor: (request) => form.nameFor(request),
    read(request) {
      const header = request.header('cookie')
      if (header === undefined) return null
      const name = form.nameFor(request)
      const first = readCookie(header, name)
      if (first === null) return null
      const count = counts.indexOf(first.charAt(0)) + 1
      if (first === '' || count === 0) return null
      let value = first.slice(1)
      for (let i = 1; i < count; i++) {
        const chunk = readCookie(header, name + suffixOf(i))
        // An empty chunk was never issued: with it and another count, one seal would be good in two forms.
        if (chunk === null || chunk === '') return null
        value += chunk
      }
      return value
    },
    issue(request, seal, maxAge) {
      const count = Math.ceil((1 + seal.length) / room)
      const size = sizeOf(form.nameFor(request), count, seal)
      if (size > maxSize) throw tooLarge(size, maxSize)
      const value = counts.charAt(count - 1) + seal
      const headers: Header[] = []
      for (let i = 0; i < count; i++) headers.push(form.set(request, suffixOf(i), value.slice(i * room, (i + 1) * room), maxAge))
      return [...headers, ...clearFrom(request, count)]
    },
    clear: (request) => [form.clear(request, ''), ...clearFrom(request, 1)],
  }

  /** Takes back the chunks that the request brought and that are no part of the value any more; never one that is not there. */
  function clearFrom(request: RequestView, first: number): Header[] {
    return chunksOf(request.header('cookie') ?? '', form.nameFor(request))
      .filter((i) => i >= first)
      .map((i) => form.clear(request, suffixOf(i)))
  }
}

function suffixOf(index: number): string {
  return index === 0 ? '' : `.${index}`
}

/** The chunks beyond the first that a Cookie header has, by their number. */
function chunksOf(header: string, name: string): number[] {
  const prefix = `${name}.`
  if (!header.includes(prefix)) return []
  const found = new Set<number>()
  for (const pair of header.split(';')) {
    const text = pair.trimStart()
    const number = text.startsWith(prefix) ? /^([1-9]|[12]\d|3[0-4])=/.exec(text.slice(prefix.length))?.[1] : undefined
    if (number !== undefined) found.add(Number(number))
  }
  return [...found].toSorted((a, b) => a - b)
}

/** What the chunks will take in a Cookie header: `sid=…; sid.1=…`. */
function sizeOf(name: string, count: number, seal: string): number {
  let size = 1 + seal.length
  for (let i = 0; i < count; i++) size += name.length + suffixOf(i).length + (i === 0 ? '='.length : '; ='.length)
  return size
}

function tooLarge(size: number, maxSize: number): SojournError {
  return new SojournError(
    'ERR_SOJOURN_DATA_TOO_LARGE',
    `The sealed session takes ${size} bytes of cookies, and maxCookieSize is ${maxSize}; keep less in it, or keep it in a store, by createSessions().`,
  )
}
