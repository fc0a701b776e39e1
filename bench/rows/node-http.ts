import { contest } from '../measure/contest.ts'
import { against, boundBy } from '../measure/findings.ts'
import type { Row } from '../row.ts'

const bare = { name: 'bare node:http', program: 'node', library: 'bare', keeps: 'nothing' } as const
const ours = { name: 'sojourn', program: 'node', library: 'sojourn' } as const
const byHand = { name: 'by hand', program: 'node', library: 'by hand' } as const
const peer = { name: 'express-session', program: 'node', library: 'express-session' } as const

// What Chromium says when a link is followed.
const headers = {
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
  Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8',
  'Accept-Encoding': 'gzip, deflate, br, zstd',
  'Accept-Language': 'en-GB,en;q=0.9,de;q=0.8',
  'Cache-Control': 'max-age=0',
  'Sec-Fetch-Dest': 'document',
  'Sec-Fetch-Mode': 'navigate',
  'Sec-Fetch-Site': 'same-origin',
  'Sec-Fetch-User': '?1',
  'Upgrade-Insecure-Requests': '1',
  'sec-ch-ua': '"Chromium";v="142", "Not_A Brand";v="99"',
  'sec-ch-ua-mobile': '?0',
  'sec-ch-ua-platform': '"Linux"',
}
const bareToBrowsers = { ...bare, name: 'bare node:http, a browser’s headers', headers }
const oursToBrowsers = { ...ours, name: 'sojourn, a browser’s headers', headers }

export const goals = { R: 0.85, W: 0.72 }

export const row: Row = {
  name: 'node-http',
  title: 'node:http, memory store',
  method:
    'A node:http server that answers 100 bytes: bare, with `withSession(sessions, …)`, and with express-session called as a function; ' +
    'both by their defaults, in memory; and with the least of a session written out by hand (servers/by-hand.mjs), to tell what of the loss is any session’s. The bare server is sent the same request headers, the session cookie included; wrk sends no others, and then both get those of a browser, too.',
  async run(tell) {
    const result = await contest({ entrants: [bare, ours, byHand, peer, bareToBrowsers, oursToBrowsers], tell })
    return [
      ...against(result, ours.name, bare.name, '× bare', goals, boundBy(byHand.name)),
      ...against(result, ours.name, byHand.name, '× by hand'),
      ...against(result, byHand.name, bare.name, '× bare'),
      ...against(result, oursToBrowsers.name, bareToBrowsers.name, '× bare'),
      ...against(result, peer.name, bare.name, '× bare'),
    ]
  },
}

/** The same, without the peer: for `npm run bench:quick`. */
export async function quick(tell: (line: string) => void) {
  return against(await contest({ entrants: [bare, ours], tell }), ours.name, bare.name, '× bare', goals)
}
