// The least that a sealed session must do, written out for these servers alone: its cookie found, decrypted and parsed; encrypted where it
// changed. No key is ever another, nothing expires, and no cookie that comes again is known.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const key = randomBytes(32)
const algorithm = 'aes-256-gcm'
const [nonceLength, tagLength] = [12, 16]

/** @returns what is to be sent as Set-Cookie */
export function sealOf(/** @type {object} */ data) {
  const nonce = randomBytes(nonceLength)
  const cipher = createCipheriv(algorithm, key, nonce)
  const sealed = Buffer.concat([nonce, cipher.update(JSON.stringify(data), 'utf8'), cipher.final(), cipher.getAuthTag()])
  return `sid=${sealed.toString('base64url')}; Path=/; HttpOnly; SameSite=Lax`
}

/** @returns {any} */
export function openSeal(/** @type {import('node:http').IncomingMessage} */ req) {
  const { cookie = '' } = req.headers
  const sealed = Buffer.from(cookie.slice(cookie.indexOf('sid=') + 4), 'base64url')
  const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, nonceLength))
  decipher.setAuthTag(sealed.subarray(-tagLength))
  return JSON.parse(decipher.update(sealed.subarray(nonceLength, -tagLength), undefined, 'utf8') + decipher.final('utf8'))
}
