/** How much of a store's memory is taken at a time, so that a small store is not filled by its first session. */
export interface Grain {
  /** Bytes of a slab, what is taken from the system at once; a power of two. */
  readonly slab: number
  /** Bytes of a page, what blocks of one size share; a power of two. */
  readonly page: number
}

// Words of a page's own: the units of its blocks (0: it is free), how many are in use, its first free block, where no block was
// yet, and its neighbours among the pages of that size that have a free block.
const UNITS = 0
const USED = 1
const FREE = 2
const FRESH = 3
const NEXT = 4
const PREV = 5
const pageWords = 6

/** What a slab costs beside its bytes: the objects that stand for it. */
const slabOverhead = 700
/** No block is longer: what is more goes on in further blocks. */
const longestBlock = 1024

/** How many blocks of a size are wanted. */
export interface Want {
  readonly units: number
  readonly count: number
}

/**
 * Blocks of words outside the JavaScript heap. A block is called by the number of its first word, never 0; what word 0 of a
 * block in use holds is never 0 either. Blocks of one size share a page, and a page that is empty can be given to any size.
 * Memory grows by slabs: nothing is ever copied to grow.
 */
export class Blocks {
  /** Word `address & mask` of `words[address >>> shift]`. The first slab is 1, so that no address is 0. */
  readonly words: Int32Array[] = [new Int32Array(0)]
  readonly bytes: Buffer[] = [Buffer.alloc(0)]
  readonly shift: number
  readonly mask: number
  /** The most words that one block has. */
  readonly longest: number
  /** What all slabs take. */
  taken = 0

  readonly #slabBytes: number
  readonly #pageShift: number
  readonly #pageSize: number
  /** By units: how many blocks a page has. */
  readonly #perPage: Int32Array
  readonly #pagesInSlab: number
  readonly #pages: (Int32Array | null)[] = [null]
  /** How many pages of each slab are in use. */
  readonly #usedPages: number[] = [0]
  /** Numbers of slabs that were given back. */
  readonly #gaps: number[] = []
  #freePages: number[] = []
  /** By units: the first page with a free block, and how many free blocks there are. */
  readonly #partial: Int32Array
  readonly #free: Int32Array
  #onMove: (from: number, to: number) => void = () => {}
  #isShrinking = false

  constructor({ slab, page }: Grain) {
    this.#slabBytes = slab
    this.shift = Math.log2(slab / 4)
    this.mask = slab / 4 - 1
    this.#pageShift = Math.log2(page / 4)
    this.#pageSize = page / 4
    this.#pagesInSlab = slab / page
    this.longest = Math.min(longestBlock, page) / 4
    this.#perPage = new Int32Array(this.longest + 1)
    for (let units = 1; units <= this.longest; units++) this.#perPage[units] = Math.floor(this.#pageSize / units)
    this.#partial = new Int32Array(this.longest + 1)
    this.#free = new Int32Array(this.longest + 1)
  }

  get slabCost(): number {
    return this.#slabBytes + slabOverhead
  }

  /** To be called for each block in use that moves, when its words are at the new place and not yet gone from the old one. */
  set onMove(listener: (from: number, to: number) => void) {
    this.#onMove = listener
  }

  /** The length of a block, in words. */
  unitsOf(address: number): number {
    const page = address >>> this.#pageShift
    return this.#meta(page)[this.#metaAt(page) + UNITS]!
  }

  /**
   * Whether what takes so many words may stay in its block. Data that get shorter and longer by turns would else move each time; what
   * they leave unused is an eighth of the block at most.
   */
  suits(address: number, units: number): boolean {
    const own = this.unitsOf(address)
    return units <= own && own - units <= own >>> 3
  }

  /** Whether so much could be had if nothing else were there, in `room` bytes. */
  couldHold(wants: readonly Want[], room: number): boolean {
    let pages = 0
    for (const { units, count } of wants) pages += Math.ceil(count / this.#perPage[units]!)
    return pages <= Math.floor(room / this.slabCost) * this.#pagesInSlab
  }

  /** Whether one block can be taken at once. */
  hasOne(units: number): boolean {
    return this.#free[units]! > 0 || this.#freePages.length > 0
  }

  /**
   * Sees to it that these blocks can be taken at once, in `room` more bytes at most. Blocks may move for it.
   *
   * @returns false when something must be given up first
   */
  prepare(wants: readonly Want[], room: number): boolean {
    for (;;) {
      let pages = -this.#freePages.length
      for (const { units, count } of wants) {
        const lacking = count - this.#free[units]!
        if (lacking > 0) pages += Math.ceil(lacking / this.#perPage[units]!)
      }
      if (pages <= 0) return true
      if (room >= this.slabCost && this.words.length - this.#gaps.length < 2 ** (32 - this.shift)) {
        room -= this.slabCost
        this.#grow()
      } else if (!this.#vacateAny(wants)) return false
    }
  }

  /**
   * Gives a slab back to the system, its blocks moved to others.
   *
   * @returns false when the others have no room for them
   */
  shrink(): boolean {
    let free = this.#freePages.length * this.#pageSize
    for (let units = 1; units <= this.longest; units++) free += this.#free[units]! * units
    // Far less than a slab's can't be brought together.
    if (4 * free < 1.1 * this.#slabBytes) return false
    const slab = this.#leastUsed()
    this.#isShrinking = true
    const first = slab * this.#pagesInSlab
    const pages = Array.from({ length: this.#pagesInSlab }, (_, index) => first + index)
    this.#freePages = this.#freePages.filter((page) => page < first || page >= first + this.#pagesInSlab)
    while (this.#freePages.length < this.#usedPages[slab]! && this.#vacateAny([], slab)) continue
    const canMove = this.#freePages.length >= this.#usedPages[slab]!
    if (canMove) {
      const used = pages.filter((page) => this.#meta(page)[this.#metaAt(page) + UNITS] !== 0)
      for (const page of used) this.#close(page)
      for (const page of used) this.#moveAll(page)
      for (const page of used) this.#open(page)
    }
    this.#freePages.push(...pages.filter((page) => this.#meta(page)[this.#metaAt(page) + UNITS] === 0 && !this.#freePages.includes(page)))
    this.#isShrinking = false
    if (canMove) this.#giveBack(slab)
    return canMove
  }

  /** A block of so many words, with 0 for its first. To be prepared. */
  take(units: number): number {
    let page = this.#partial[units]!
    if (page === 0) page = this.#assign(units)
    const meta = this.#meta(page)
    const at = this.#metaAt(page)
    let address = meta[at + FREE]!
    if (address !== 0) {
      meta[at + FREE] = this.words[address >>> this.shift]![(address & this.mask) + 1]!
    } else {
      address = (page << this.#pageShift) + meta[at + FRESH]!
      meta[at + FRESH]! += units
      this.words[address >>> this.shift]![address & this.mask] = 0
    }
    meta[at + USED]!++
    this.#free[units]!--
    if (this.#isFull(meta, at, units)) this.#unlist(page)
    return address
  }

  release(address: number): void {
    const page = address >>> this.#pageShift
    const meta = this.#meta(page)
    const at = this.#metaAt(page)
    const units = meta[at + UNITS]!
    const words = this.words[address >>> this.shift]!
    const wasFull = this.#isFull(meta, at, units)
    words[address & this.mask] = 0
    words[(address & this.mask) + 1] = meta[at + FREE]!
    meta[at + FREE] = address
    meta[at + USED]!--
    this.#free[units]!++
    if (wasFull) this.#list(page, units)
    if (meta[at + USED] === 0) this.#retire(page)
  }

  #isFull(meta: Int32Array, at: number, units: number): boolean {
    return meta[at + FREE] === 0 && meta[at + FRESH]! + units > this.#pageSize
  }

  #meta(page: number): Int32Array {
    return this.#pages[page >>> (this.shift - this.#pageShift)]!
  }

  #metaAt(page: number): number {
    return (page & (this.#pagesInSlab - 1)) * pageWords
  }

  #grow(): void {
    const slab = this.#gaps.pop() ?? this.words.length
    // Not zeroed: a block's first word is, when it is taken for the first time.
    const bytes = Buffer.allocUnsafeSlow(this.#slabBytes)
    this.bytes[slab] = bytes
    this.words[slab] = new Int32Array(bytes.buffer)
    this.#pages[slab] = new Int32Array(this.#pagesInSlab * pageWords)
    this.#usedPages[slab] = 0
    this.taken += this.slabCost
    for (let page = this.#pagesInSlab - 1; page >= 0; page--) this.#freePages.push(slab * this.#pagesInSlab + page)
  }

  #assign(units: number): number {
    const page = this.#freePages.pop()!
    const meta = this.#meta(page)
    const at = this.#metaAt(page)
    meta[at + UNITS] = units
    meta[at + USED] = meta[at + FREE] = meta[at + FRESH] = 0
    this.#free[units]! += this.#perPage[units]!
    this.#usedPages[page >>> (this.shift - this.#pageShift)]!++
    this.#list(page, units)
    return page
  }

  /** The page is empty: it is any size's again. A slab of empty pages goes back to the system, when another page is free. */
  #retire(page: number): void {
    const meta = this.#meta(page)
    const at = this.#metaAt(page)
    const units = meta[at + UNITS]!
    this.#unlist(page)
    this.#free[units]! -= this.#perPage[units]!
    meta[at + UNITS] = 0
    this.#freePages.push(page)
    const slab = page >>> (this.shift - this.#pageShift)
    if (--this.#usedPages[slab]! === 0 && this.#freePages.length > 2 * this.#pagesInSlab && !this.#isShrinking) this.#giveBack(slab)
  }

  #giveBack(slab: number): void {
    const first = slab * this.#pagesInSlab
    let kept = 0
    for (const page of this.#freePages) if (page < first || page >= first + this.#pagesInSlab) this.#freePages[kept++] = page
    this.#freePages.length = kept
    this.words[slab] = this.words[0]!
    this.bytes[slab] = this.bytes[0]!
    this.#pages[slab] = null
    this.#gaps.push(slab)
    this.taken -= this.slabCost
  }

  #list(page: number, units: number): void {
    const first = this.#partial[units]!
    const meta = this.#meta(page)
    const at = this.#metaAt(page)
    meta[at + NEXT] = first
    meta[at + PREV] = 0
    if (first !== 0) this.#meta(first)[this.#metaAt(first) + PREV] = page
    this.#partial[units] = page
  }

  #unlist(page: number): void {
    const meta = this.#meta(page)
    const at = this.#metaAt(page)
    const next = meta[at + NEXT]!
    const prev = meta[at + PREV]!
    if (next !== 0) this.#meta(next)[this.#metaAt(next) + PREV] = prev
    if (prev !== 0) this.#meta(prev)[this.#metaAt(prev) + NEXT] = next
    else this.#partial[meta[at + UNITS]!] = next
  }

  #leastUsed(): number {
    let best = 0
    let least = Infinity
    for (let slab = 1; slab < this.words.length; slab++) {
      if (this.#pages[slab] === null || this.#usedPages[slab]! >= least) continue
      least = this.#usedPages[slab]!
      best = slab
    }
    return best
  }

  /** Empties a page of the size that has the most room to spare, by moving its blocks to others of that size. */
  #vacateAny(wants: readonly Want[], but = 0): boolean {
    let most = 0
    let units = 0
    for (let size = 1; size <= this.longest; size++) {
      const free = this.#free[size]! - (wants.find((want) => want.units === size)?.count ?? 0)
      if (free >= this.#perPage[size]! && free * size > most) {
        most = free * size
        units = size
      }
    }
    const page = units === 0 ? 0 : this.#emptiest(units, but)
    if (page === 0) return false
    this.#close(page)
    this.#moveAll(page)
    this.#open(page)
    return true
  }

  /** The page of the size that has the fewest blocks, of no slab that is to go; 0 when there is none. */
  #emptiest(units: number, but: number): number {
    let best = 0
    let least = Infinity
    // Of many, the first dozens will do.
    for (let page = this.#partial[units]!, looked = 0; page !== 0 && looked < 64; looked++) {
      const meta = this.#meta(page)
      const at = this.#metaAt(page)
      if (meta[at + USED]! < least && page >>> (this.shift - this.#pageShift) !== but) {
        least = meta[at + USED]!
        best = page
      }
      page = meta[at + NEXT]!
    }
    return best
  }

  /** Takes a page out of the list, so that none of its blocks is taken. */
  #close(page: number): void {
    const meta = this.#meta(page)
    const at = this.#metaAt(page)
    if (!this.#isFull(meta, at, meta[at + UNITS]!)) this.#unlist(page)
  }

  /** Moves all blocks of a closed page to others. */
  #moveAll(page: number): void {
    const meta = this.#meta(page)
    const at = this.#metaAt(page)
    const units = meta[at + UNITS]!
    // What is free in it is not there for others.
    this.#free[units]! -= this.#perPage[units]! - meta[at + USED]!
    const end = meta[at + FRESH]!
    for (let offset = 0; offset < end; offset += units) {
      const from = (page << this.#pageShift) + offset
      const words = this.words[from >>> this.shift]!
      const start = from & this.mask
      if (words[start] === 0) continue
      const to = this.take(units)
      this.words[to >>> this.shift]!.set(words.subarray(start, start + units), to & this.mask)
      this.#onMove(from, to)
      words[start] = 0
      meta[at + USED]!--
    }
    this.#free[units]! += this.#perPage[units]!
  }

  /** A closed page from which all was moved is any size's. */
  #open(page: number): void {
    const meta = this.#meta(page)
    const at = this.#metaAt(page)
    // As one that has room it is in the list, from which it is taken.
    this.#list(page, meta[at + UNITS]!)
    this.#retire(page)
  }
}
