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
