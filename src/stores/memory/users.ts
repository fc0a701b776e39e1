import { Chains } from './chains.ts'
import { hashText } from './hash.ts'
import { FIRST, META, USER, USER_NEXT, USER_PREV } from './layout.ts'

/** Which records a user has: a list through the records, whose first stands for the user in the table. */
export class Users extends Chains {
  /** The first of a user's records; 0 when there is none. */
  firstOf(userId: string): number {
    return this.#find(userId, hashText(userId, this.seed))
  }

  /** The next record of the same user; 0 after the last. */
  after(address: number): number {
    return this.#get(address, USER_NEXT)
  }

  insert(address: number, userId: string, mayGrow: boolean): void {
    const hash = hashText(userId, this.seed)
    const first = this.#find(userId, hash)
    if (first === 0) {
      this.#set(address, META, this.#get(address, META) | FIRST)
      this.#set(address, USER_NEXT, 0)
      this.add(address, hash, mayGrow)
      return
    }
    const second = this.#get(first, USER_NEXT)
    this.#set(address, USER_PREV, first)
    this.#set(address, USER_NEXT, second)
    this.#set(first, USER_NEXT, address)
    if (second !== 0) this.#set(second, USER_PREV, address)
  }

  delete(address: number): void {
    const next = this.#get(address, USER_NEXT)
    if (this.#isFirst(address)) {
      if (next === 0) this.remove(address, this.hashOf(address))
      else {
        this.replace(address, this.hashOf(address), next)
        this.#set(next, USER_PREV, this.#get(address, USER_PREV))
        this.#set(next, META, this.#get(next, META) | FIRST)
      }
    } else {
      const prev = this.#get(address, USER_PREV)
      this.#set(prev, USER_NEXT, next)
      if (next !== 0) this.#set(next, USER_PREV, prev)
    }
  }

  move(from: number, to: number): void {
    const next = this.#get(to, USER_NEXT)
    if (this.#isFirst(to)) this.replace(from, this.hashOf(to), to)
    else this.#set(this.#get(to, USER_PREV), USER_NEXT, to)
    if (next !== 0) this.#set(next, USER_PREV, to)
  }

  protected override hashOf(address: number): number {
    return this.format.hashOfUser(address, this.seed)
  }

  protected override next(address: number): number {
    return this.#get(address, USER_PREV)
  }

  protected override setNext(address: number, next: number): void {
    this.#set(address, USER_PREV, next)
  }

  #find(userId: string, hash: number): number {
    let address = this.first(hash)
    while (address !== 0 && !this.format.isNamed(address, USER, userId)) address = this.next(address)
    return address
  }

  #isFirst(address: number): boolean {
    return (this.#get(address, META) & FIRST) !== 0
  }

  #get(address: number, word: number): number {
    return this.blocks.words[address >>> this.blocks.shift]![(address & this.blocks.mask) + word]!
  }

  #set(address: number, word: number, value: number): void {
    this.blocks.words[address >>> this.blocks.shift]![(address & this.blocks.mask) + word] = value
  }
}
