import { accessSync, closeSync, constants, mkdirSync, openSync, readSync, realpathSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Database, RootDatabase } from 'lmdb'
import { SojournError } from '../../core/errors.ts'
import { Door } from './door.ts'
import { failure } from './failure.ts'
import { freeBytes } from './room.ts'

/** An lmdb environment with the store's databases, all in one file and written in the same transactions. */
export interface Environment {
  readonly root: RootDatabase<Buffer, Buffer>
  /** By session ID: the record. */
  readonly sessions: Database<Buffer, string>
  /** By `expiryKey`: nothing. */
  readonly expiry: Database<Buffer, Buffer>
  /** By `userKey`: nothing. */
  readonly users: Database<Buffer, Buffer>
  /** Where other processes come in. */
  readonly door: Door
}

const format = 'sojourn-disk'
const formatVersion = 1

// What a new environment must find free, so that lmdb, which maps its lock file into memory, isn't killed by a full disk.
const roomToStart = 2 ** 20

/**
 * Opens the environment: at once where no other process has it open.
 *
 * @throws SojournError `ERR_SOJOURN_OPTION` without lmdb, `ERR_SOJOURN_STORE…` for a folder that holds or allows something else.
 */
export function openEnvironment(name: string, folder: string, mapSize: number): Environment | Promise<Environment> {
  const lmdb = loadLmdb()
  makeFolder(name, folder)
  const door = new Door(name, realpathSync(folder), (path) => openGate(lmdb, path))
  const options = { ...optionsOf(folder), mapSize }
  try {
    const opened = door.enter(
      // As a class, for `open` would wait for the lock under which others hold still.
      () => lmdb.openAsClass(options) as unknown as Root,
      (Root) => openDatabases(name, folder, door, new Root(null, { ...options, isRoot: true })),
    )
    return opened instanceof Promise ? opened.catch((cause: unknown) => Promise.reject(failure(name, 'open', cause))) : opened
  } catch (cause) {
    throw failure(name, 'open', cause)
  }
}

type Root = new (name: null, options: object) => RootDatabase<Buffer, Buffer>

function openDatabases(name: string, folder: string, door: Door, root: RootDatabase<Buffer, Buffer>): Environment {
  try {
    checkFormat(name, folder, root)
    return {
      root,
      sessions: root.openDB('sessions', { encoding: 'binary', useVersions: true }),
      expiry: root.openDB('expiry', { encoding: 'binary', keyEncoding: 'binary' }),
      users: root.openDB('users', { encoding: 'binary', keyEncoding: 'binary' }),
      door,
    }
  } catch (cause) {
    door.leave(async () => await root.close()).catch(() => {})
    throw cause
  }
}

function optionsOf(folder: string) {
  return {
    path: folder,
    // By default lmdb takes a path with a dot in it for a file.
    noSubdir: false,
    maxReaders: 512,
    encoding: 'binary' as const,
    keyEncoding: 'binary' as const,
    // lmdb's batches of an event turn leave a promise of their own unhandled when a commit fails. Without them it still
    // takes all writes of a turn together, for it begins in `setImmediate`, or once this many are waiting.
    eventTurnBatching: false,
    txnStartThreshold: 1000,
    // Tells with each write when that write was flushed.
    separateFlushed: true,
    permissionsMode: 0o600,
  }
}

// Never closed: who closes a lock file last destroys the locks in it, and someone may just be coming.
function openGate(lmdb: typeof import('lmdb'), path: string): RootDatabase {
  const options = { path, noSubdir: true, noSync: true, maxReaders: 512, permissionsMode: 0o600 }
  return lmdb.open(options)
}

function loadLmdb(): typeof import('lmdb') {
  try {
    return createRequire(import.meta.url)('lmdb') as typeof import('lmdb')
  } catch (cause) {
    const absent = cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND'
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      absent
        ? 'The disk store needs the package lmdb, which is not installed: npm install lmdb'
        : 'The disk store needs the package lmdb, which is installed and does not load here: npm rebuild lmdb, or npm install it on this system',
      { cause },
    )
  }
}

/** Folder by folder: Node's own `recursive` never returns where a folder that is there, such as /proc, says that it is not. */
function makePath(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false }) !== undefined) return
  const parent = dirname(folder)
  if (parent !== folder) makePath(parent)
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    // Another process was faster.
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) throw error
  }
}

/** Makes the folder, and looks at what is there before lmdb does: lmdb 3.5 crashes the process on a file that it can't open. */
function makeFolder(name: string, folder: string): void {
  try {
    makePath(folder)
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw new SojournError(
      'ERR_SOJOURN_STORE',
      `The store ${name} can't have ${folder} as its folder. Let it be a folder that this process may write to, or name another.`,
      { cause },
    )
  }
  for (const file of ['data.mdb', 'lock.mdb', 'gate.mdb', 'gate.mdb-lock']) checkFile(name, join(folder, file))
  for (const file of ['data.mdb', 'gate.mdb']) {
    if (isLmdb(join(folder, file))) continue
    throw new SojournError(
      'ERR_SOJOURN_STORE_FORMAT',
      `${join(folder, file)} is no file that the disk store, by its lmdb, could read: something else lies there. Move it away, or name another folder.`,
    )
  }
  if (freeBytes(folder) < roomToStart && statSync(join(folder, 'lock.mdb'), { throwIfNoEntry: false }) === undefined) {
    throw new SojournError('ERR_SOJOURN_STORE_FULL', `The disk that the store ${name} is on has no room left to open it. Free some space.`)
  }
}

function checkFile(name: string, file: string): void {
  const found = statSync(file, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isFile()) {
    throw new SojournError(
      'ERR_SOJOURN_STORE_FORMAT',
      `${file} is no file, so something else lies there. Move it away, or name another folder.`,
    )
  }
  try {
    accessSync(file, constants.R_OK | constants.W_OK)
  } catch (cause) {
    throw new SojournError(
      'ERR_SOJOURN_STORE',
      `The store ${name} may not read and write ${file}. Run as the user who owns it, or make that user its owner.`,
      { cause },
    )
  }
}

/** True for what lmdb can open: no file yet, an empty one, or one that begins with the header of its format. */
function isLmdb(file: string): boolean {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size === 0) return true
  const header = Buffer.alloc(32)
  const descriptor = openSync(file, 'r')
  try {
    readSync(descriptor, header, 0, header.length, 0)
  } finally {
    closeSync(descriptor)
  }
  // Where the header lies hangs on the platform's word size.
  const start = [12, 16, 20, 24].find((offset) => header.readUInt32LE(offset) === 0xbeefc0de)
  return start !== undefined && header.readUInt32LE(start + 4) === 2 && size >= 8192
}

/** An environment is the store's own if it says so, or if nothing is in it: then it is told. */
function checkFormat(name: string, folder: string, root: RootDatabase<Buffer, Buffer>): void {
  const names = [...root.getKeys({ limit: 100 })].map((key) => String(key).replace(/\0$/, ''))
  if (names.length > 0 && !names.includes(format)) {
    throw new SojournError(
      'ERR_SOJOURN_STORE_FORMAT',
      `The lmdb environment in ${folder} belongs to something else (it holds ${names.length > 99 ? 'much' : names.length} that no disk store wrote). Name another folder.`,
    )
  }
  const meta = root.openDB<number, string>(format, { encoding: 'json' })
  const version = meta.get('version') ?? null
  if (version === null) {
    meta.putSync('version', formatVersion, { noOverwrite: true })
  } else if (version !== formatVersion) {
    throw new SojournError(
      'ERR_SOJOURN_STORE_FORMAT',
      `The store ${name} was written in format ${format} ${JSON.stringify(version)}, and this version of sojourn knows ${formatVersion}. Upgrade sojourn, or name another folder.`,
    )
  }
}
