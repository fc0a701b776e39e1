import { codes, values } from '../../core/base64url.ts'

/** Shorter runs of base64url are taken for words. */
const shortestRun = 6
const longestRun = 127
const run = 0x80
const longestHead = 500
/** Shapes are called by a byte, and 0 is no shape. */
const mostShapes = 255

interface Shape {
  readonly hash: number
  /** The head's characters, in the place of each run 0x80 and its length. */
  readonly text: Uint8Array
  /** How many bytes the runs take when packed. */
  readonly packed: number
  /** How many records have it. */
  uses: number
}

/**
 * Heads are much alike: keys, hashes and marks in base64url, within a frame of names that thousands share. What they share is their
 * shape, kept once; each record keeps the runs of base64url alone, at six bits a character. Any text comes back as it was: one
 * of a shape that was not met before, or of more shapes than there are numbers, is simply kept whole.
 */
export class Shapes {
  readonly #shapes: (Shape | undefined)[] = [undefined]
  readonly #byHash = new Map<number, number>()
  // A shape gets a number when it is met for the second time, for a name that looks like a run, or a run like a name, makes one
  // that is never met again.
  readonly #met = new Int32Array(256)
  readonly #text = new Uint8Array(longestHead)
  /** The last shape of the heads of each length; 0 for none. */
  readonly #byLength = new Uint8Array(longestHead + 1)
  readonly #head = Buffer.alloc(longestHead)
  // Where a packer is: what it writes into, where, and the bits that are not written yet.
  #into: Uint8Array = this.#text
  #at = 0
  #held = 0
  #bits = 0

  /** Writes a head's runs at `at`. @returns its shape, which says how long they are; 0 when it has none, and is to be kept whole */
  pack(head: string, into: Uint8Array, at: number): number {
    // As bytes, which are told apart in a tenth of the time that the characters of a text take; one beyond ASCII has more than one.
    if (head.length > longestHead || Buffer.byteLength(head) !== head.length) return 0
    const length = this.#head.write(head, 'latin1')
    // The last one of this length is mostly this one's shape, too, which is sooner tried than found.
    const last = this.#byLength[length]!
    if (last !== 0 && this.#fits(this.#shapes[last]!.text, length, into, at)) return last
    return (this.#byLength[length] = this.#take(length, into, at))
  }

  /** A record has it, or has it no more. */
  use(shape: number, change: 1 | -1): void {
    if (shape !== 0) this.#shapes[shape]!.uses += change
  }

  packedLength(shape: number): number {
    return this.#shapes[shape]!.packed
  }

  unpack(shape: number, from: Uint8Array, at: number): string {
    const { text } = this.#shapes[shape]!
    const head = this.#head
    let length = 0
    let held = 0
    let bits = 0
    for (let i = 0; i < text.length; i++) {
      const code = text[i]!
      if (code < run) {
        head[length++] = code
        continue
      }
      let left = code - run
      // Most are four characters of three whole bytes.
      for (let fours = bits === 0 ? left >> 2 : 0; fours > 0; fours--) {
        const four = (from[at]! << 16) | (from[at + 1]! << 8) | from[at + 2]!
        head[length] = codes[four >>> 18]!
        head[length + 1] = codes[(four >>> 12) & 0x3f]!
        head[length + 2] = codes[(four >>> 6) & 0x3f]!
        head[length + 3] = codes[four & 0x3f]!
        at += 3
        length += 4
        left -= 4
      }
      for (; left > 0; left--) {
        if (bits < 6) {
          held = ((held & 0x3f) << 8) | from[at++]!
          bits += 8
        }
        bits -= 6
        head[length++] = codes[(held >>> bits) & 0x3f]!
      }
    }
    return head.toString('latin1', 0, length)
  }

  /** Packs the runs, if the head has this shape. */
  #fits(text: Uint8Array, headLength: number, into: Uint8Array, start: number): boolean {
    const head = this.#head
    let i = 0
    this.#begin(into, start)
    for (let place = 0; place < text.length; place++) {
      const code = text[place]!
      if (code < run) {
        if (head[i++] !== code) return false
        continue
      }
      const end = i + code - run
      if (end > headLength || !this.#pack(i, end)) return false
      i = end
    }
    this.#end()
    return i === headLength
  }

  /** Packs the runs, and finds the number of the shape. */
  #take(headLength: number, into: Uint8Array, start: number): number {
    const head = this.#head
    const text = this.#text
    let length = 0
    let hash = 0
    this.#begin(into, start)
    for (let i = 0; i < headLength;) {
      let end = i
      while (end < headLength && end - i < longestRun && values[head[end]!]! >= 0) end++
      if (end - i >= shortestRun && !isWord(head, i, end)) {
        const code = run + end - i
        text[length++] = code
        hash = Math.imul(hash ^ code, 0x01000193)
        this.#pack(i, end)
        i = end
      } else {
        if (end === i) end++
        for (; i < end; i++) {
          const code = head[i]!
          text[length++] = code
          hash = Math.imul(hash ^ code, 0x01000193)
        }
      }
    }
    return this.#numberOf(hash ^ (hash >>> 15), length, this.#end() - start)
  }

  #begin(into: Uint8Array, at: number): void {
    this.#into = into
    this.#at = at
    this.#held = this.#bits = 0
  }

  /** Packs these characters of the head. @returns false when one is none of base64url */
  #pack(from: number, end: number): boolean {
    const head = this.#head
    const into = this.#into
    let at = this.#at
    let held = this.#held
    let bits = this.#bits
    let i = from
    // Most are four characters of three whole bytes.
    for (let fours = bits === 0 ? (end - i) >> 2 : 0; fours > 0; fours--) {
      const four = (values[head[i]!]! << 18) | (values[head[i + 1]!]! << 12) | (values[head[i + 2]!]! << 6) | values[head[i + 3]!]!
      if (four < 0) return false
      into[at] = four >>> 16
      into[at + 1] = four >>> 8
      into[at + 2] = four
      at += 3
      i += 4
    }
    for (; i < end; i++) {
      const value = values[head[i]!]!
      if (value < 0) return false
      held = ((held & 0xff) << 6) | value
      bits += 6
      if (bits >= 8) {
        bits -= 8
        into[at++] = held >>> bits
      }
    }
    this.#at = at
    this.#held = held
    this.#bits = bits
    return true
  }

  /** @returns where what was packed ends */
  #end(): number {
    if (this.#bits > 0) this.#into[this.#at++] = this.#held << (8 - this.#bits)
    return this.#at
  }

  #numberOf(hash: number, length: number, packed: number): number {
    const known = this.#byHash.get(hash)
    if (known !== undefined) return this.#isText(this.#shapes[known]!.text, length) ? known : 0
    const place = hash & (this.#met.length - 1)
    if (this.#met[place] !== hash) {
      this.#met[place] = hash
      return 0
    }
    const free = this.#shapes.length <= mostShapes ? this.#shapes.length : this.#shapes.findIndex((shape) => shape?.uses === 0)
    if (free === -1) return 0
    const left = this.#shapes[free]
    if (left !== undefined) this.#byHash.delete(left.hash)
    this.#shapes[free] = { hash, text: this.#text.slice(0, length), packed, uses: 0 }
    this.#byHash.set(hash, free)
    return free
  }

  #isText(text: Uint8Array, length: number): boolean {
    if (text.length !== length) return false
    for (let i = 0; i < length; i++) if (text[i] !== this.#text[i]) return false
    return true
  }
}

/** Letters alone, none but the first a capital: more likely a name than random. */
function isWord(text: Uint8Array, from: number, to: number): boolean {
  const first = text[from]! | 0x20
  if (first < 0x61 || first > 0x7a) return false
  for (let i = from + 1; i < to; i++) if (text[i]! < 0x61 || text[i]! > 0x7a) return false
  return true
}
