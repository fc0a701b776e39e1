/**
 * What a client calls itself, in words for a list of devices: 'Firefox on Windows'. A claim of the client's: no protection
 * may rest on it.
 */
export function describeDevice(userAgent: string | undefined): string | null {
  if (userAgent === undefined || userAgent === '') return null
  // The first match holds: browsers name the ones that they imitate as well.
  const text = userAgent.slice(0, 512)
  const browser = browsers.find(([, pattern]) => pattern.test(text))?.[0]
  const system = systems.find(([, pattern]) => pattern.test(text))?.[0]
  if (browser !== undefined && system !== undefined) return `${browser} on ${system}`
  return browser ?? system ?? text.match(/^[A-Za-z][\w.-]{0,31}/)?.[0] ?? null
}

/** A device taken apart again. What is not told is null. */
export interface DeviceParts {
  /** The browser's family, whatever its version. */
  readonly browser: string | null
  readonly platform: string | null
}

export function partsOf(device: string | null): DeviceParts {
  if (device === null) return { browser: null, platform: null }
  const on = device.lastIndexOf(' on ')
  if (on !== -1) return { browser: device.slice(0, on), platform: platformOf(device.slice(on + 4)) }
  return systems.some(([name]) => name === device) ? { browser: null, platform: platformOf(device) } : { browser: device, platform: null }
}

// A phone or a tablet that is asked for the desktop site calls itself a Mac, or Linux: that is no other device.
function platformOf(system: string): string {
  if (system === 'iPhone' || system === 'iPad') return 'macOS'
  return system === 'Android' || system === 'ChromeOS' ? 'Linux' : system
}

const browsers: readonly (readonly [string, RegExp])[] = [
  ['Edge', /Edg(?:e|A|iOS)?\//],
  ['Opera', /OPR\/|Opera/],
  ['Samsung Internet', /SamsungBrowser\//],
  ['Vivaldi', /Vivaldi\//],
  ['Firefox', /Firefox\/|FxiOS\//],
  ['Chrome', /Chrome\/|CriOS\/|HeadlessChrome\//],
  ['Safari', /Version\/[\d.]+ .*Safari\//],
]

const systems: readonly (readonly [string, RegExp])[] = [
  ['iPhone', /iPhone/],
  ['iPad', /iPad/],
  ['Android', /Android/],
  ['ChromeOS', /CrOS/],
  ['Windows', /Windows/],
  ['macOS', /Macintosh|Mac OS X/],
  ['Linux', /Linux|X11/],
]
