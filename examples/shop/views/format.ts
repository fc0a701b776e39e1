import { html, type Html } from './html.ts'

const euros = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' })

export function money(cents: number): string {
  return euros.format(cents / 100)
}

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
const absolute = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' })

const units = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const

/** '3 minutes ago', with the exact time for machines and as a tooltip. */
export function ago(at: number, now: number): Html {
  const [unit, ms] = units.find(([, length]) => now - at >= length) ?? ['minute', 0]
  const words = ms === 0 ? 'just now' : relative.format(-Math.floor((now - at) / ms), unit)
  const date = new Date(at)
  return html`<time datetime="${date.toISOString()}" title="${absolute.format(date)} UTC">${words}</time>`
}
