/** How a text is kept: a byte for each character where none is beyond Latin-1, else by what is shorter and brings it back exactly. */
export const latin1 = 0
export const utf8 = 1
export const utf16 = 2

const encodings = ['latin1', 'utf8', 'utf16le'] as const

export function isLatin1(text: string): boolean {
  // Most names are short, and a call of a regular expression takes longer than they.
  if (text.length > 64) return !/[^\0-\xff]/.test(text)
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return false
  return true
}

export function writeText(bytes: Buffer, at: number, text: string, encoding: number): void {
  if (encoding === latin1 && text.length <= 24) for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i)
  else bytes.write(text, at, encodings[encoding])
}

export function readText(bytes: Buffer, from: number, to: number, encoding: number): string {
  return bytes.toString(encodings[encoding], from, to)
}

export function encodingOf(text: string): number {
  const bytes = Buffer.byteLength(text)
  if (bytes === text.length || isLatin1(text)) return latin1
  // A lone surrogate has no UTF-8.
  return bytes < 2 * text.length && !/\p{Surrogate}/u.test(text) ? utf8 : utf16
}

export function bytesOf(text: string, encoding: number): number {
  return encoding === latin1 ? text.length : encoding === utf8 ? Buffer.byteLength(text) : 2 * text.length
}

/** Seven bits to the byte, the last first. @returns where it ends */
export function writeNumber(bytes: Uint8Array, at: number, number: number): number {
  let rest = number
  let end = at
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[end++] = (rest % 128) + 128
  bytes[end++] = rest
  return end
}

/** How many bytes `writeNumber` writes. */
export function numberLength(number: number): number {
  let length = 1
  for (let rest = number; rest >= 128; rest = Math.floor(rest / 128)) length++
  return length
}

/** Where a number that was written there ends. */
export function afterNumber(bytes: Uint8Array, at: number): number {
  while (bytes[at]! >= 128) at++
  return at + 1
}

/** Where a name ends: twice its length, and 1 more for UTF-16, stands before it. */
export function afterName(bytes: Uint8Array, at: number): number {
  let length = 0
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[at++]!
    length += (byte & 127) * factor
    if (byte < 128) return at + (length & 1 ? length - 1 : length / 2)
  }
}
