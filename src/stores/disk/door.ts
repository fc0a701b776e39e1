import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, openSync, readdirSync, rmSync, statSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { RootDatabase } from 'lmdb'
import { SojournError } from '../../core/errors.ts'

/** Keeps every process from committing while the work lasts. */
export type Hold = (work: () => Promise<void>) => Promise<void>

/** What this process has of one folder. */
interface Place {
  handles: number
  /** Ends with the opening or closing that is under way. */
  busy: Promise<void> | null
  /** The newcomers of other processes that are being answered. They need the event loop, so nothing may stop it to wait for the lock. */
  readonly answers: Set<Promise<void>>
  gate: { readonly root: RootDatabase; readonly inode: number } | null
}

const places = new Map<string, Place>()
const ending = '.sock'
const patience = 30_000

/**
 * Lets a process open an lmdb environment that others write to.
 *
 * lmdb 3.5 can't do that by itself: who opens an environment reads the number of the last commit and, some microseconds later,
 * writes it where all processes read it (mdb_env_open2; OpenLDAP's ITS#9496, mended there in 2021). A commit in between is lost
 * in silence, or the file damaged. So whoever has the environment open listens on a socket in its folder; a newcomer asks
 * them, and comes in while one of them holds the lock that all commit under. Newcomers, and those who leave, go one at a
 * time: that lock is another lmdb environment, `gate.mdb`, in which nothing is ever written, so that its own opening can do
 * no harm; it is free again when a process is killed.
 */
export class Door {
  #name: string
  #folder: string
  #place: Place
  #openGate: (path: string) => RootDatabase

  #server: Server | null = null
  #address = `${process.pid}-${randomBytes(6).toString('hex')}${ending}`
  #hold: Hold | null = null
  #early: Socket[] = []
  #leaving = false

  constructor(name: string, folder: string, openGate: (path: string) => RootDatabase) {
    this.#name = name
    this.#folder = folder
    this.#openGate = openGate
    this.#place = places.get(folder) ?? { handles: 0, busy: null, answers: new Set(), gate: null }
    places.set(folder, this.#place)
  }

  /**
   * Runs `open` when no other process can commit: at once where none has the environment open, as far as can be seen. Then
   * runs `use`, which may wait for the lock of all writers.
   */
  enter<T, U>(open: () => T, use: (opened: T) => U): U | Promise<U> {
    const { busy, answers, handles } = this.#place
    if (busy !== null || answers.size > 0) return this.#enterLater(open, use)
    // lmdb opens nothing anew where the process has it open. (On Windows there are no such sockets.)
    if (handles > 0 || process.platform === 'win32') return use(this.#open(open))
    const opened = this.#gate().transactionSync(() => (this.#others().length === 0 ? { value: this.#open(open) } : null))
    return opened === null ? this.#enterLater(open, use) : use(opened.value)
  }

  /** Answers newcomers from now on. */
  answer(hold: Hold): void {
    this.#hold = hold
    for (const socket of this.#early.splice(0)) this.#answer(socket, hold)
  }

  /** Runs `close` when no other process comes in or leaves. Nothing may be written any more. */
  async leave(close: () => Promise<void>): Promise<void> {
    this.#leaving = true
    for (const socket of this.#early.splice(0)) socket.destroy()
    await this.#alone(async () => {
      try {
        if (this.#place.handles > 1 || process.platform === 'win32') await close()
        else await this.#gate().transaction(close)
      } finally {
        this.#place.handles--
        this.#stopListening()
      }
    })
  }

  async #enterLater<T, U>(open: () => T, use: (opened: T) => U): Promise<U> {
    return await this.#alone(async () => {
      const opened = this.#place.handles > 0 ? this.#open(open) : await this.#openHeld(open)
      while (this.#place.answers.size > 0) await Promise.all(this.#place.answers)
      return use(opened)
    })
  }

  async #openHeld<T>(open: () => T): Promise<T> {
    return await this.#gate().transaction(async () => {
      const holder = await this.#findHolder()
      try {
        return this.#open(open)
      } finally {
        holder?.destroy()
      }
    })
  }

  #gate(): RootDatabase {
    const { gate } = this.#place
    const path = join(this.#folder, 'gate.mdb')
    if (gate !== null && gate.inode === statSync(path, { throwIfNoEntry: false })?.ino) return gate.root
    const root = this.#openGate(path)
    this.#place.gate = { root, inode: statSync(path).ino }
    return root
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const place = this.#place
    while (place.busy !== null) await place.busy
    let done = (): void => {}
    place.busy = new Promise((resolve) => (done = resolve))
    try {
      return await work()
    } finally {
      place.busy = null
      done()
    }
  }

  /** Listens first, so that nobody comes in unseen once this one can write. */
  #open<T>(open: () => T): T {
    this.#listen()
    try {
      const value = open()
      this.#place.handles++
      return value
    } catch (error) {
      this.#stopListening()
      throw error
    }
  }

  #listen(): void {
    if (process.platform === 'win32') return
    this.#server = createServer((socket) => this.#accept(socket))
    this.#server.on('error', () => {})
    this.#server.unref()
    // `exclusive`: in a cluster the primary would listen otherwise.
    withPath(this.#folder, this.#address, (path) => this.#server?.listen({ path, exclusive: true }))
    if (existsSync(join(this.#folder, this.#address))) return
    throw new SojournError(
      'ERR_SOJOURN_STORE',
      `The store ${this.#name} can't make a socket in its folder, by which processes that share it know of each other. Name a folder on a local disk, with a path of fewer than 80 characters.`,
    )
  }

  #stopListening(): void {
    this.#server?.close()
    this.#server = null
    rmSync(join(this.#folder, this.#address), { force: true })
  }

  #accept(socket: Socket): void {
    // Who asks says nothing but that it is done, by its end.
    socket.on('error', () => {})
    socket.resume()
    socket.unref()
    if (this.#leaving) socket.destroy()
    else if (this.#hold === null) this.#early.push(socket)
    else this.#answer(socket, this.#hold)
  }

  #answer(socket: Socket, hold: Hold): void {
    const { answers } = this.#place
    const answer = this.#holdFor(socket, hold).finally(() => answers.delete(answer))
    answers.add(answer)
  }

  async #holdFor(socket: Socket, hold: Hold): Promise<void> {
    const asked = new AbortController()
    socket.once('close', () => asked.abort())
    await hold(async () => {
      if (socket.destroyed) return
      socket.write('held')
      // Who asked and then hangs must not stop all others for ever.
      await setTimeout(patience, undefined, { ref: false, signal: asked.signal }).catch(() => {})
    })
    socket.destroy()
  }

  #others(): string[] {
    return readdirSync(this.#folder).filter((file) => file.endsWith(ending))
  }

  /** The first of those who have the environment open to hold its lock: until the socket is destroyed. Null where nobody has it. */
  async #findHolder(): Promise<Socket | null> {
    const sockets: Socket[] = []
    const answers = this.#others().map(async (address) => await this.#ask(address, sockets))
    try {
      const holder = await Promise.any(answers)
      for (const socket of sockets) if (socket !== holder) socket.destroy()
      return holder
    } catch (error) {
      for (const socket of sockets) socket.destroy()
      const reason = (error as AggregateError).errors.find((cause) => cause !== gone) as Error | undefined
      if (reason === undefined) return null
      throw reason
    }
  }

  #ask(address: string, sockets: Socket[]): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = withPath(this.#folder, address, (path) => connect({ path }))
      sockets.push(socket)
      socket.setTimeout(patience, () => socket.destroy(this.#unanswered()))
      socket.once('data', () => resolve(socket))
      socket.once('close', () => reject(gone))
      socket.once('error', (error: NodeJS.ErrnoException) => {
        // Nobody listens, nor ever will: each socket has a name of its own.
        if (error.code === 'ECONNREFUSED') rmSync(join(this.#folder, address), { force: true })
        reject(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE'].includes(error.code ?? '') ? gone : error)
      })
    })
  }

  #unanswered(): SojournError {
    return new SojournError(
      'ERR_SOJOURN_STORE',
      `The store ${this.#name} can't be opened: no process that has it open answered for ${patience / 1000} s. Look for one that hangs, or is stopped.`,
    )
  }
}

const gone = new Error('the process that had the environment open is gone')

/** A socket's path may have some 100 bytes: one in a folder with a long name is reached through the folder's descriptor. */
function withPath<T>(folder: string, file: string, use: (path: string) => T): T {
  const path = join(folder, file)
  if (Buffer.byteLength(path) < 100 || process.platform !== 'linux') return use(path)
  const descriptor = openSync(folder, 'r')
  try {
    return use(`/proc/self/fd/${descriptor}/${file}`)
  } finally {
    closeSync(descriptor)
  }
}
