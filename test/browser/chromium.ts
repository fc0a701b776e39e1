import { existsSync } from 'node:fs'
import { type Browser, chromium, type LaunchOptions } from 'playwright-core'

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

/** Starts Debian's Chromium, or the one that CHROMIUM names. */
export async function launchChromium(options: LaunchOptions = {}): Promise<Browser> {
  if (!existsSync(program))
    throw new Error(`The browser tests need Chromium, and ${program} is missing: install the Debian package chromium.`)
  return await chromium.launch({ executablePath: program, args, ...options })
}
