/**
 * The network that an address is in: the /24 of IPv4, the /48 of IPv6, as text; null where there is no address. What a client or a
 * provider is given is at least as large, so that one who moves about in it stays one.
 */
export function networkOf(address: string | undefined): string | null {
  if (address === undefined || address === '') return null
  // A proxy's word may be anything: '[2001:db8::1]:443', 'fe80::1%eth0', '192.0.2.7:8080', a name, a kilobyte.
  const text = address.slice(0, 64)
  const dot = text.indexOf('.')
  // An IPv4 address may come mapped into IPv6: ::ffff:192.0.2.7.
  const four = dot === -1 ? null : ipv4.exec(text.slice(text.lastIndexOf(':', dot) + 1))
  if (four !== null) return `${four[1]}.0/24`
  const six = text.replace(/^\[|[\]%].*$/g, '').toLowerCase()
  return six.includes(':') ? `${firstGroups(six).join(':')}::/48` : text
}

const ipv4 = /^(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}/

/** The first three groups; `::` stands for as many zeros as are missing. */
function firstGroups(address: string): string[] {
  const [before = '', after] = address.split('::')
  const groups = before === '' ? [] : before.split(':')
  if (after !== undefined) {
    const rest = after === '' ? [] : after.split(':')
    while (groups.length + rest.length < 8) groups.push('0')
    groups.push(...rest)
  }
  return groups.slice(0, 3).map((group) => group.replace(/^0+(?=.)/, ''))
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/**
 * What a record keeps of a network: 12 bits under the record's own key. Two networks look alike once in 4096 times, which is
 * enough to tell that a client moved. Whoever has the record has the key, and could try all networks with any hash: it is the
 * shortness that keeps the network a secret, since 4096 of the world's /24 networks fit. So a fast hash will do (FNV-1a).
 */
export function networkMark(key: string, network: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  for (let i = 0; i < network.length; i++) hash = Math.imul(hash ^ network.charCodeAt(i), 0x01000193)
  // Its last bits alone would depend on those of the text alone.
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  return letters[hash & 63]! + letters[(hash >>> 6) & 63]!
}
