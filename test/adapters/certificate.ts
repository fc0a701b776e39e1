import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** What a TLS server needs, in PEM. */
export interface Certificate {
  readonly key: string
  readonly cert: string
}

const oids = { ecdsaWithSha256: '06082a8648ce3d040302', commonName: '0603550403' }

/** Makes a certificate for localhost that vouches for itself, good for a day: without openssl, which not every machine has. */
export function selfSigned(): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = element(0x30, Buffer.from(oids.ecdsaWithSha256, 'hex'))
  const name = element(0x30, element(0x31, element(0x30, Buffer.from(oids.commonName, 'hex'), element(0x0c, Buffer.from('localhost')))))
  const content = element(
    0x30,
    element(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    name,
    element(0x30, time(Date.now() - 3_600_000), time(Date.now() + 86_400_000)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  )
  const signature = sign('sha256', content, privateKey)
  const der = element(0x30, content, algorithm, element(0x03, Buffer.from([0]), signature))
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n'),
  }
}

/** One element of DER: its tag, its length, its content. */
function element(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content)
  const length =
    body.length < 0x80 ? [body.length] : body.length < 0x100 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}

function integer(bytes: Buffer): Buffer {
  return element(0x02, bytes)
}

function time(ms: number): Buffer {
  return element(0x17, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`))
}
