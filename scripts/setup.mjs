// What `npm start`, `npm test` and `npm run build` have in common. It needs nothing but Node and npm.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { basename, delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** A set-up step that could not be done. The message is all that is shown. */
export class SetUpError extends Error {}

/**
 * Progress goes to stderr, so that stdout carries the shop's own line alone.
 *
 * @param {string} line
 */
export const say = (line) => void process.stderr.write(`${line}\n`)

/**
 * Runs a program to its end and passes this process's signals on to it, so that ending the one ends both.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ quiet?: boolean, shell?: boolean, env?: NodeJS.ProcessEnv }} [options] quiet: collect what it prints instead of showing it
 * @returns {Promise<{ code: number, output: string }>} code: 128 and the signal's number if a signal ended it
 */
export function run(command, args, { quiet = false, shell = false, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env, shell, stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit' })
    let output = ''
    child.stdout?.on('data', (chunk) => (output += chunk))
    child.stderr?.on('data', (chunk) => (output += chunk))

    /** @param {NodeJS.Signals} signal */
    const passOn = (signal) => {
      // A terminal sends Ctrl-C to the whole group: passed on it would arrive twice, and twice may mean "at once".
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    }
    const signals = /** @type {const} */ (['SIGTERM', 'SIGINT', 'SIGHUP'])
    for (const signal of signals) process.on(signal, passOn)
    const settle = () => {
      for (const signal of signals) process.off(signal, passOn)
    }
    child.once('error', (error) => {
      settle()
      reject(error)
    })
    child.once('close', (code, signal) => {
      settle()
      resolve({ code: signal === null ? (code ?? 1) : 128 + constants.signals[signal], output })
    })
  })
}

/** @param {string} file */
const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'))

/** @param {string} version the running Node's, as in process.versions.node */
export function checkNode(version = process.versions.node) {
  const wanted = String(readJson(join(root, 'package.json')).engines.node).replace('>=', '')
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number)
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return
  throw new SetUpError(`sojourn needs Node ${wanted} or newer, and this is Node ${version}: install a newer one (https://nodejs.org).`)
}

/**
 * Whether node_modules holds what package-lock.json names. Contents are compared, not times: a checkout that only moves the
 * lock file's time must not ask for the network. npm writes its own copy last, so a broken-off install has none.
 *
 * @param {string} folder
 */
export function hasDependencies(folder = root) {
  const copy = join(folder, 'node_modules', '.package-lock.json')
  if (!existsSync(copy)) return false
  const installed = readJson(copy).packages
  return Object.entries(readJson(join(folder, 'package-lock.json')).packages).every(([place, wanted]) => {
    if (!place.includes('node_modules/')) return true
    const isNative = wanted.os?.includes(process.platform) && wanted.cpu?.includes(process.arch) && !wanted.libc
    if (wanted.optional && !isNative) return true
    if (!existsSync(join(folder, place))) return false
    const found = installed[place]
    return wanted.link || (found?.version === wanted.version && found?.integrity === wanted.integrity)
  })
}

export async function installDependencies() {
  if (hasDependencies()) return
  say('Installing dependencies (npm ci) …')
  // Under NODE_ENV=production npm would leave out the compiler, which the build needs.
  const { code, output } = await npm(['ci', '--include=dev'])
  if (code !== 0) throw new SetUpError(`${output.trimEnd()}\nThe dependencies could not be installed: npm ci ended with code ${code}.`)
}

/**
 * Runs npm to its end, without a word unless it fails.
 *
 * @param {string[]} args
 */
async function npm(args) {
  const all = [...args, '--no-audit', '--no-fund', '--loglevel=error']
  const program = process.env.npm_execpath
  return program !== undefined && basename(program) === 'npm-cli.js'
    ? await run(process.execPath, [program, ...all], { quiet: true })
    : await run('npm', all, { quiet: true, shell: process.platform === 'win32' })
}

/** The drivers of the stores that SESSION_STORE can name, by the URL's scheme. */
const drivers = new Map([
  ...['redis', 'rediss', 'redis+cluster', 'rediss+cluster'].map((scheme) => /** @type {const} */ ([scheme, 'redis'])),
  ...['mysql', 'mariadb'].map((scheme) => /** @type {const} */ ([scheme, 'mysql2'])),
  ...['postgres', 'postgresql'].map((scheme) => /** @type {const} */ ([scheme, 'pg'])),
  ...['mongodb', 'mongodb+srv'].map((scheme) => /** @type {const} */ ([scheme, 'mongodb'])),
  // Newer versions of Node have SQLite built in.
  ...(process.getBuiltinModule?.('node:sqlite') === undefined ? [/** @type {const} */ (['sqlite', 'better-sqlite3'])] : []),
])

/**
 * The package that a store's URL needs and that is not installed, or null.
 *
 * @param {string | undefined} url
 * @param {string} folder
 */
export function missingDriver(url, folder = root) {
  const driver = drivers.get(/^[a-z+]+(?=:)/i.exec(url ?? '')?.[0].toLowerCase() ?? '')
  return driver === undefined || isInstalled(driver, folder) ? null : driver
}

/** @param {string} name @param {string} folder */
function isInstalled(name, folder = root) {
  return existsSync(join(folder, 'node_modules', name, 'package.json'))
}

/** Installs the driver that the shop's store needs, and no other, if it is not there. */
export async function installDriver(url = process.env.SESSION_STORE) {
  const driver = missingDriver(url)
  if (driver === null) return
  if (driver === 'better-sqlite3') return await installBetterSqlite()
  say(`Installing ${driver}, which SESSION_STORE needs (npm install) …`)
  await installUnsaved(driver, readJson(join(root, 'package.json')).peerDependencies[driver])
}

/** Version 13 installs on Node 20, and ends its process. */
const betterSqlite = /** @type {const} */ (['better-sqlite3', '12'])

/** npm compiles it, which takes a minute and a compiler: so it is no development dependency, which `npm start` would install too. */
export async function installBetterSqlite() {
  const [name] = betterSqlite
  if (isInstalled(name)) return
  const otherwise =
    'The SQLite driver better-sqlite3 is compiled at its installation, which needs Python, make and a C++ compiler: install those ' +
    '(Debian: apt-get install python3 make g++), then run this again.'
  if (['python3', 'make', 'g++'].some((program) => !isOnPath(program))) {
    const problem = await installDebianPackages(['python3', 'make', 'g++'], 'which compile better-sqlite3', otherwise)
    if (problem !== null) throw new SetUpError(problem)
  }
  say('Installing better-sqlite3, which is compiled in about a minute (npm install) …')
  await installUnsaved(...betterSqlite)
}

/** @param {string} program */
function isOnPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)))
}

/**
 * Installs a package beside the others; package.json and the lock file stay as they are.
 *
 * @param {string} name
 * @param {string} range
 */
async function installUnsaved(name, range) {
  // For the shop: here it is an optional peer, which npm leaves out.
  const { code, output } = await npm(['install', '--no-save', '--workspace', 'examples/shop', `${name}@${range}`])
  if (code !== 0 || !isInstalled(name))
    throw new SetUpError(`${output.trimEnd()}\nThe driver ${name} could not be installed: npm install ended with code ${code}.`)
}

/** @param {string} path @returns {number} */
function newestChange(path) {
  const status = statSync(path)
  if (!status.isDirectory()) return status.mtimeMs
  // The folders' own times tell of files that were removed.
  return Math.max(status.mtimeMs, ...readdirSync(path).map((name) => newestChange(join(path, name))))
}

/** @param {string} folder */
export function isBuilt(folder = root) {
  const dist = join(folder, 'dist')
  if (!existsSync(join(dist, 'index.js'))) return false
  // A build gives dist the time at which it began, so that a file changed in the meantime counts as newer.
  const newest = Math.max(...['src', 'tsconfig.json', 'package.json', 'scripts/bundle.mjs'].map((name) => newestChange(join(folder, name))))
  return statSync(dist).mtimeMs >= newest
}

/**
 * Builds beside dist and then takes its place by renaming: whoever reads dist meanwhile, a running shop or a second build,
 * finds a whole one. A build that fails leaves the old one as it is.
 */
export async function build() {
  const began = new Date()
  const fresh = join(root, `dist.${process.pid}`)
  try {
    rmSync(fresh, { recursive: true, force: true })
    const { code, output } = await run(process.execPath, ['node_modules/typescript/bin/tsc', '--outDir', fresh], { quiet: true })
    if (code !== 0) throw new SetUpError(`${output.trimEnd()}\nThe build failed: tsc ended with code ${code}.`)
    // Only now: the dependencies may have been installed since this file was loaded.
    const { bundle } = await import('./bundle.mjs')
    await bundle(fresh)
    utimesSync(fresh, began, began)
    takeThePlace(fresh, join(root, 'dist'))
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

/** @param {string} fresh @param {string} dist */
function takeThePlace(fresh, dist) {
  const old = `${fresh}.old`
  for (let attempt = 1; ; attempt++) {
    try {
      renameSync(dist, old)
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT') throw error
    }
    try {
      renameSync(fresh, dist)
      return
    } catch (error) {
      // A second build can land between the two renames.
      if (attempt === 5) throw error
    } finally {
      rmSync(old, { recursive: true, force: true })
    }
  }
}

export async function buildIfNeeded() {
  if (!isBuilt()) await build()
}

/** What is said where the browser tests find no Chromium. */
export const chromiumMissing =
  'Chromium is missing, which the browser tests drive: install the package `chromium` ' +
  '(Debian: apt-get install chromium; Fedora: dnf install chromium; macOS: brew install --cask chromium), or name the program in CHROMIUM.'

/** @returns {string | null} the browser that the tests drive: CHROMIUM, or the first one that is found */
export function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
  const folders = (process.env.PATH ?? '').split(delimiter).concat('/usr/bin')
  const places = names.flatMap((name) => folders.map((folder) => join(folder, name)))
  const applications = ['Chromium', 'Google Chrome'].map((name) => `/Applications/${name}.app/Contents/MacOS/${name}`)
  return [...places, ...applications].find((place) => existsSync(place)) ?? null
}

export async function installChromium() {
  if (findChromium() !== null) return
  const problem = await installDebianPackages(['chromium'], 'which the browser tests drive', chromiumMissing)
  if (problem !== null) say(problem)
}

/** The program that Debian's packages ask before they start a service at their installation. */
const servicePolicy = '/usr/sbin/policy-rc.d'

/**
 * Installs packages if this is Debian and root runs it; services that they bring are not started.
 *
 * @param {readonly string[]} packages
 * @param {string} purpose a relative clause
 * @param {string} otherwise what to do where they can't be installed
 * @returns {Promise<string | null>} what went wrong, and what to do
 */
export async function installDebianPackages(packages, purpose, otherwise) {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''
  if (!/^ID="?debian"?$/m.test(release) || process.getuid?.() !== 0) return otherwise
  say(`Installing Debian's package${packages.length === 1 ? '' : 's'} ${packages.join(', ')}, ${purpose} (apt-get) …`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const isPolicyOurs = !existsSync(servicePolicy)
  if (isPolicyOurs) writeFileSync(servicePolicy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    for (const args of [
      ['update', '-q'],
      ['install', '-q', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', ...packages],
    ]) {
      const { code, output } = await run('apt-get', args, { quiet: true, env })
      if (code !== 0) return `${output.trimEnd()}\napt-get ${args[0]} ended with code ${code}. ${otherwise}`
    }
    return null
  } finally {
    if (isPolicyOurs) rmSync(servicePolicy, { force: true })
  }
}

/**
 * Does the work; a step of the set-up that failed is told, not traced, and makes this process end with 1.
 *
 * @param {() => Promise<void>} work
 */
export async function orFail(work) {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof SetUpError)) throw error
    say(error.message)
    process.exitCode = 1
  }
}
