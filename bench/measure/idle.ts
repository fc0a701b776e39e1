import { readFileSync, writeFileSync } from 'node:fs'

/** For how long, in ns, an idle processor of a virtual machine goes on looking for work before it has the host put it to sleep. */
const setting = '/sys/module/haltpoll/parameters/guest_halt_poll_ns'
/** Linux's own default. */
const usual = 200_000

/**
 * On a virtual machine that puts idle processors to sleep at once, each answer of a server pays for waking the load generator by
 * way of the host: up to 28 µs, where a whole request of a bare server takes 35, and the more, the slower the server is, since the generator
 * then sleeps between two answers. So Linux's default holds while it is measured, where this may be set, and what was set before holds afterwards.
 *
 * @returns what the results should tell of it; null for nothing
 */
export function wakeCheaply(): string | null {
  const before = current()
  if (before === null || before >= usual) return null
  try {
    writeFileSync(setting, String(usual))
  } catch {
    return `idle processors sleep after ${before / 1000} µs, and each answer pays for waking the load generator: root may change that`
  }
  process.once('exit', () => writeFileSync(setting, String(before)))
  return `idle processors sleep after ${usual / 1000} µs, Linux’s default, in place of this machine’s ${before / 1000}`
}

function current(): number | null {
  try {
    return Number(readFileSync(setting, 'utf8'))
  } catch {
    return null
  }
}
