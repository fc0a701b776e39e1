import { codes, values } from '../../core/base64url.ts'

/** Four characters as 24 bits; negative when one of them is none of the alphabet. */
export function bits24(text: string, at: number): number {
  return (valueAt(text, at) << 18) | (valueAt(text, at + 1) << 12) | (valueAt(text, at + 2) << 6) | valueAt(text, at + 3)
}

/** Writes 24 bits as four characters. */
export function write24(text: Uint8Array, at: number, bits: number): void {
  text[at] = codes[bits >>> 18]!
  text[at + 1] = codes[(bits >>> 12) & 63]!
  text[at + 2] = codes[(bits >>> 6) & 63]!
  text[at + 3] = codes[bits & 63]!
}

function valueAt(text: string, at: number): number {
  const code = text.charCodeAt(at)
  return code < 128 ? values[code]! : -1
}
