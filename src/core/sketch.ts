import { hash } from 'node:crypto'
import { randomBytes } from './token.ts'

const rows = 4
const width = 2 ** 14

/**
 * Counts by name in fixed memory, however many names there are: a count-min sketch with conservative update (Estan and Varghese,
 * 2002). Never too few; too many by chance alone, and by no more than a few ten-thousandths of all that was counted.
 */
export class Sketch {
  // Under a key of this process's own nobody outside can pick names that fall together.
  readonly #key = randomBytes(16).toString('base64url')
  /** 256 KB, made when something is counted. */
  #cells: Uint32Array | null = null

  count(name: string): number {
    return this.#cells === null ? 0 : this.#least(this.#cells, this.#places(name))
  }

  add(name: string): void {
    this.#cells ??= new Uint32Array(rows * width)
    const places = this.#places(name)
    const next = this.#least(this.#cells, places) + 1
    for (const place of places) if (this.#cells[place]! < next) this.#cells[place] = next
  }

  #least(cells: Uint32Array, places: readonly number[]): number {
    return Math.min(...places.map((place) => cells[place]!))
  }

  #places(name: string): number[] {
    const digest = hash('sha256', this.#key + name, 'buffer')
    return Array.from({ length: rows }, (_, row) => row * width + (digest.readUInt32LE(row * 4) % width))
  }
}
