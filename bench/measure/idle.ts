import { readFileSync, writeFileSync } from 'node:fs'

/** For how long, in ns, an idle processor of a virtual machine goes on looking for work, at most, before it has the host put it to sleep. */
const setting = '/sys/module/haltpoll/parameters/guest_halt_poll_ns'
/** Linux's own default. */
const usual = 200_000

/**
 * On a virtual machine that puts idle processors to sleep at once, each answer of a server pays for waking the load generator by
 * way of the host: up to 28 of the 95 µs of a request, and the more, the slower the server is, since the generator then sleeps between two
 * answers. So Linux's default holds while it is measured, where this may be set, and what was set before holds afterwards.
 *
 * @returns what the results should tell of it; null where there is no such setting
 */
export function wakeCheaply(): string | null {
  const before = current()
  if (before === null) return null
  if (before < usual) {
    try {
      writeFileSync(setting, String(usual))
      process.once('exit', () => writeFileSync(setting, String(before)))
    } catch {
      // Root alone may: then the results say so.
    }
  }
  const now = current()!
  return `idle processors wait ${now / 1000} µs at most before they sleep${now === before ? '' : ` (Linux’s default; this machine’s own: ${before / 1000})`}`
}

function current(): number | null {
  try {
    return Number(readFileSync(setting, 'utf8'))
  } catch {
    return null
  }
}
