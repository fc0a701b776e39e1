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
