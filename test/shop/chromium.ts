import { existsSync } from 'node:fs'

/** The browser that the tests drive: Debian's, or the one that CHROMIUM names. */
export const program = process.env.CHROMIUM ?? '/usr/bin/chromium'

export const args = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

if (!existsSync(program))
  throw new Error(`The browser tests need Chromium, and ${program} is missing: install the Debian package chromium.`)
