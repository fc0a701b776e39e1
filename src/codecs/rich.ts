import { parse, stringify } from 'devalue'
import { checkValue, type Codec, describeObject } from '../core/codec.ts'
import { isObject } from '../core/values.ts'

/**
 * A codec for session data that holds more than JSON can: Date, Map, Set, bigint, undefined, NaN and the infinities.
 * Needs the package `devalue` (npm install devalue). Maps, Sets and Dates are merged as one value each.
 */
export function rich(): Codec {
  return {
    name: 'rich',
    encode(value) {
      checkValue(value, describe)
      return stringify(value)
    },
    decode(text) {
      const value: unknown = parse(text)
      checkValue(value, describe)
      return value
    },
  }
}

function describe(value: unknown): string | null {
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  return value instanceof Date || value instanceof Map || value instanceof Set || isObject(value) ? null : describeObject(value)
}
