/** A hash of a text so far, and one more of its characters. */
export function hashOn(hash: number, code: number): number {
  const mixed = Math.imul(hash ^ code, 0x5bd1e995)
  return mixed ^ (mixed >>> 15)
}

export function hashText(text: string, seed: number): number {
  let hash = seed
  for (let i = 0; i < text.length; i++) hash = hashOn(hash, text.charCodeAt(i))
  return hash
}
