import { formatPath, isObject, type Plain, same, setOwn } from './values.ts'

/** Two requests changed the same thing at once. */
export interface Collision {
  /** Where, as a person writes it: `cart[0].qty`. */
  readonly path: string
  /** What both started from; undefined where it was absent, as for the other two. */
  readonly base: unknown
  /** What is stored now. */
  readonly theirs: unknown
  /** What this request made of it. */
  readonly mine: unknown
}

export interface MergeRules {
  /** Lists whose elements are known by a property: path of the list to name of the property, such as `{ cart: 'sku' }`. */
  readonly keys?: Readonly<Record<string, string>> | undefined
  /** Decides a collision: the value to keep (undefined removes it). Without it the later writer's value is kept. */
  readonly resolve?: ((collision: Collision) => unknown) | undefined
}

export interface Merged {
  readonly value: unknown
  readonly collisions: readonly string[]
}

/** Absent, as against a stored undefined (which the rich codec can carry). */
const absent = Symbol('absent')

/**
 * Merges three ways, by path: what one request started from, what is stored now, and what the request made of it.
 * A change of one side alone is taken. Lists to which both sides only appended keep both tails, theirs first. What both
 * changed collides at that path, even when they agree; a deletion against an edit beneath it, and a change of type,
 * collide at the upper path. The result shares structure with its sources and must not be changed in place.
 */
export function merge(base: unknown, theirs: unknown, mine: unknown, rules: MergeRules = {}): Merged {
  const collisions: string[] = []
  const value = new Merge(rules, collisions).at([], base, theirs, mine)
  return { value: value === absent ? undefined : value, collisions }
}

type Path = readonly (string | number)[]

class Merge {
  #rules: MergeRules
  #collisions: string[]

  constructor(rules: MergeRules, collisions: string[]) {
    this.#rules = rules
    this.#collisions = collisions
  }

  at(path: Path, base: unknown, theirs: unknown, mine: unknown): unknown {
    if (same(base, mine)) return theirs
    if (same(base, theirs)) return mine
    // Where both made a container of the same kind out of nothing, each started from an empty one: `list ??= []` by two requests.
    if (isObject(theirs) && isObject(mine) && (base === absent || isObject(base))) {
      return this.#objects(path, base === absent ? {} : base, theirs, mine)
    }
    if (Array.isArray(theirs) && Array.isArray(mine) && (base === absent || Array.isArray(base))) {
      return this.#lists(path, base === absent ? [] : base, theirs, mine)
    }
    return this.#collide(path, base, theirs, mine)
  }

  #objects(path: Path, base: Plain, theirs: Plain, mine: Plain): Plain {
    const merged: Plain = { ...theirs }
    for (const key of new Set([...Object.keys(mine), ...Object.keys(base)])) {
      const [started, made] = [own(base, key), own(mine, key)]
      // Most keys of most merges: theirs is there already.
      if (same(started, made)) continue
      const value = this.at([...path, key], started, own(theirs, key), made)
      if (value === absent) delete merged[key]
      else setOwn(merged, key, value)
    }
    return merged
  }

  #lists(path: Path, base: unknown[], theirs: unknown[], mine: unknown[]): unknown {
    const key = this.#rules.keys?.[formatPath(path)]
    if (key !== undefined) {
      const maps = [byKey(base, key), byKey(theirs, key), byKey(mine, key)] as const
      if (maps[0] !== null && maps[1] !== null && maps[2] !== null) return this.#keyed(path, maps[0], maps[1], maps[2])
    }
    if (startsWith(theirs, base) && startsWith(mine, base)) return [...theirs, ...mine.slice(base.length)]
    return this.#collide(path, base, theirs, mine)
  }

  #keyed(path: Path, base: Keyed, theirs: Keyed, mine: Keyed): unknown[] {
    const merged: unknown[] = []
    for (const key of new Set([...theirs.keys(), ...mine.keys(), ...base.keys()])) {
      const step = typeof key === 'bigint' ? String(key) : key
      const value = this.at([...path, step], get(base, key), get(theirs, key), get(mine, key))
      if (value !== absent) merged.push(value)
    }
    return merged
  }

  #collide(path: Path, base: unknown, theirs: unknown, mine: unknown): unknown {
    const where = formatPath(path)
    this.#collisions.push(where)
    if (this.#rules.resolve === undefined) return mine
    const given = (value: unknown) => (value === absent ? undefined : value)
    const decided = this.#rules.resolve({ path: where, base: given(base), theirs: given(theirs), mine: given(mine) })
    return decided === undefined ? absent : decided
  }
}

function own(object: Plain, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : absent
}

function startsWith(list: readonly unknown[], beginning: readonly unknown[]): boolean {
  return list.length >= beginning.length && beginning.every((item, i) => same(item, list[i]))
}

type Key = string | number | bigint
type Keyed = Map<Key, unknown>

/** A list's elements by their key, or null where one has none (text or a number) or two have the same: then the list is one value. */
function byKey(list: readonly unknown[], key: string): Keyed | null {
  const map: Keyed = new Map()
  for (const item of list) {
    if (!isObject(item) || !Object.hasOwn(item, key)) return null
    const name = item[key]
    if (!isKey(name) || map.has(name)) return null
    map.set(name, item)
  }
  return map
}

function isKey(value: unknown): value is Key {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint'
}

function get(map: Keyed, key: Key): unknown {
  return map.has(key) ? map.get(key) : absent
}
