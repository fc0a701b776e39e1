/**
 * Tells news of our own puts from those of others', since the server tells of both alike.
 *
 * A put that landed is told of once. What another wrote before it in the same turn of the server's is told of along with it, and is
 * replaced by it; what another puts over it was made from its version, which nobody can have read before that turn was over, and is told
 * of by itself. A word of another's that comes while ours is on its way may be taken for ours: then ours is taken for another's, or
 * our put did not land, which whoever put knows.
 */
export class OwnWrites {
  readonly #due = new Map<string, number>()

  sent(id: string): void {
    this.#due.set(id, (this.#due.get(id) ?? 0) + 1)
  }

  /** It did not land, or nobody knows. */
  failed(id: string): void {
    this.heard(id)
  }

  /** @returns whether one of our own was due to be told of, and is no more */
  heard(id: string): boolean {
    const due = this.#due.get(id)
    if (due === undefined) return false
    if (due === 1) this.#due.delete(id)
    else this.#due.set(id, due - 1)
    return true
  }

  clear(): void {
    this.#due.clear()
  }
}
