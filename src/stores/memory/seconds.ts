// A node has 32 children, told by five bits of the second: first a word that says which there are, then one for each.
const bits = 5
const fan = 2 ** bits
const nodeWords = 1 + fan
// Six levels below the root make 30 bits; the root has the five above. The last second of all stands for all after it.
const levels = 6
const lowBits = bits * levels
/** The last second that has a place of its own: in the year 3058. */
export const lastSecond = 2 ** (lowBits + bits) - 1

/**
 * A number for each second, and which second is the first that has one: a tree of nodes of 32, outside the heap. Seconds near each
 * other share their nodes, so that some thousands of sessions to the second cost nothing, and a session alone in its minute a node.
 */
export class Seconds {
  /** What the nodes take. */
  taken = 0

  readonly #parts: Int32Array[] = []
  readonly #partNodes: number
  #unused = 0
  #freed = 0
  readonly #path = new Int32Array(levels + 1)
  // The node that was reached last: most calls are for seconds near the last one.
  #near = -1
  #nearNode = 0

  /** @param part how many nodes are taken at a time */
  constructor(part: number) {
    this.#partNodes = part
    this.#newNode() // 0 stands for no node.
    this.#newNode()
  }

  get(second: number): number {
    const node = this.#leaf(second)
    return node === 0 ? 0 : this.#child(node, second % fan)
  }

  /** @param value not 0 */
  set(second: number, value: number): void {
    this.#setChild(this.#leaf(second) || this.#makeLeaf(second), second % fan, value)
  }

  clear(second: number): void {
    const low = second % 2 ** lowBits
    let node = root
    for (let level = levels; level >= 0; level--) {
      this.#path[level] = node
      node = this.#child(node, indexAt(level, low, second))
    }
    for (let level = 0; level <= levels; level++) {
      const emptied = this.#path[level]!
      const index = indexAt(level, low, second)
      const [part, at] = [this.#partOf(emptied), this.#atOf(emptied)]
      part[at + 1 + index] = 0
      part[at]! &= ~(1 << index)
      if (part[at] !== 0 || emptied === root) return
      if (level === 0) this.#near = -1
      part[at + 1] = this.#freed
      this.#freed = emptied
    }
  }

  /** The first second with a number; -1 when there is none. */
  first(): number {
    let node = root
    let second = 0
    for (let level = levels; level >= 0; level--) {
      const map = this.#partOf(node)[this.#atOf(node)]!
      if (map === 0) return -1
      const index = 31 - Math.clz32(map & -map)
      second = second * fan + index
      node = this.#child(node, index)
    }
    return second
  }

  #leaf(second: number): number {
    const near = Math.floor(second / fan)
    if (near === this.#near) return this.#nearNode
    const low = second % 2 ** lowBits
    let node = root
    for (let level = levels; level > 0; level--) {
      node = this.#child(node, indexAt(level, low, second))
      if (node === 0) return 0
    }
    this.#near = near
    return (this.#nearNode = node)
  }

  #makeLeaf(second: number): number {
    const low = second % 2 ** lowBits
    let node = root
    for (let level = levels; level > 0; level--) {
      const index = indexAt(level, low, second)
      let child = this.#child(node, index)
      if (child === 0) this.#setChild(node, index, (child = this.#newNode()))
      node = child
    }
    return node
  }

  #child(node: number, index: number): number {
    return this.#partOf(node)[this.#atOf(node) + 1 + index]!
  }

  #setChild(node: number, index: number, value: number): void {
    const part = this.#partOf(node)
    const at = this.#atOf(node)
    part[at + 1 + index] = value
    part[at]! |= 1 << index
  }

  #partOf(node: number): Int32Array {
    return this.#parts[Math.floor(node / this.#partNodes)]!
  }

  #atOf(node: number): number {
    return (node % this.#partNodes) * nodeWords
  }

  #newNode(): number {
    const freed = this.#freed
    if (freed !== 0) {
      const [part, at] = [this.#partOf(freed), this.#atOf(freed)]
      this.#freed = part[at + 1]!
      part[at + 1] = 0
      return freed
    }
    if (this.#unused === this.#parts.length * this.#partNodes) {
      this.#parts.push(new Int32Array(this.#partNodes * nodeWords))
      this.taken += this.#partNodes * nodeWords * 4 + 150
    }
    return this.#unused++
  }
}

const root = 1

function indexAt(level: number, low: number, second: number): number {
  return level === levels ? Math.floor(second / 2 ** lowBits) : (low >>> (level * bits)) & (fan - 1)
}
