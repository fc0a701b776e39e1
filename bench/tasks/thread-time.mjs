// How long this thread ran: the time in which another thread or process had the core is none of what it did.
import { openSync, readSync } from 'node:fs'

/** The main thread's entry is the process's own. Its first number is the nanoseconds that it ran; only Linux has it. */
const file = open('/proc/self/schedstat')
const text = Buffer.alloc(64)

export const isOfThread = file !== null

/** Milliseconds of the processor: this thread's where the system tells them, else those of all threads. */
export function threadTime() {
  // By this call the kernel brings the thread's own number up to date, too.
  const { user, system } = process.cpuUsage()
  if (file === null) return (user + system) / 1000
  return parseInt(text.latin1Slice(0, readSync(file, text, 0, text.length, 0)), 10) / 1e6
}

function open(path) {
  try {
    return openSync(path)
  } catch {
    return null
  }
}
