/**
 * Random histories of one session: a browser with many parallel requests, answers that are lost, late or reordered, browser
 * crashes that bring an older cookie back, uploads that a buffering proxy holds up, nodes whose clocks differ, and three
 * thieves: one copies the cookie and browses, one keeps new tokens in a drawer, one throws them away so that the user gets
 * none. A seed makes the same history again, as long as the server answers the same. Times are in seconds.
 */
export const renewAfter = 900
export const grace = 60
export const skew = grace / 10
export const horizon = 20_000

export type Client = 'user' | 'thief'

export interface Answer {
  readonly ok: boolean
  /** The token that the answer sets. */
  readonly set: string | null
}

/** What a history is tried on. */
export interface Server {
  /** The token of the session, which begins at 0. */
  readonly token: string
  show(token: string, now: number, client: Client): Promise<Answer>
  /** The user, who was refused with this token, logs in anew. */
  logIn(token: string, now: number): Promise<void>
  isEnded(): boolean
}

export interface Weather {
  /** Both ways of a message together, at most. */
  readonly maxDelay?: number
  /** What one answer in twenty takes more. */
  readonly late?: number
  /** How far clocks are apart. */
  readonly clocks?: number
  readonly crashes?: number
  /** The share of requests that a proxy holds for 90 to 400 s. */
  readonly uploads?: number
  readonly thief?: boolean
  /** A thief who keeps a new token for so long. */
  readonly drawer?: number
  /** A thief who asks every so often and uses no new token. */
  readonly waste?: number
  /** Requests that arrive within so long of each other are served at once. */
  readonly together?: number
}

export interface Outcome {
  readonly loggedOut: boolean
  readonly lateRefused: number
  readonly ended: boolean
  /** From the theft to the thief's last good answer. */
  readonly servedFor: number
  /** Whether the thief's last request was refused. */
  readonly shutOut: boolean
}

interface Jar {
  token: string
  past: { now: number; token: string }[]
}

interface Happening {
  readonly time: number
  readonly run: (now: number) => void | Promise<void>
}

export async function history(seed: number, weather: Weather, server: Server): Promise<Outcome> {
  const { maxDelay = 20, late = 300, clocks = 0, crashes = 0, uploads = 0, thief, drawer, waste, together = 0 } = weather
  const random = (): number => (seed = (seed * 1664525 + 1013904223) >>> 0) / 2 ** 32
  const between = (a: number, b: number): number => a + Math.floor(random() * (b - a + 1))
  const stolen = thief === true || drawer !== undefined || waste !== undefined
  const queue: Happening[] = []
  const at = (time: number, run: Happening['run']): void => void queue.push({ time, run })
  let loggedOut = false
  let shutOut = false
  let lateRefused = 0
  let lastTheft = 0

  const show = async (token: string, now: number, client: Client): Promise<Answer> => {
    const answer = await server.show(token, now + clocks * random(), client)
    if (client === 'thief') {
      shutOut = !answer.ok
      if (answer.ok) lastTheft = now
    }
    return answer
  }

  const browse = (jar: Jar, client: Client, start: number): void => {
    const send = (sent: number): void => {
      const { token } = jar
      const held = client === 'user' && random() < uploads ? between(90, 400) : 0
      at(sent + (random() * maxDelay) / 2 + held, async (arrived) => {
        const { ok, set } = await show(token, arrived, client)
        if (!ok && client === 'user') {
          if (jar.token !== token) lateRefused++
          else {
            loggedOut = true
            if (stolen) await server.logIn(token, arrived)
          }
        }
        const delay = (random() * maxDelay) / 2 + (random() < 0.05 ? random() * late : 0)
        if (set === null || random() < 0.15) return
        at(arrived + delay, (now) => {
          jar.past.push({ now, token: jar.token })
          jar.token = set
        })
      })
    }
    for (let t = start; t < horizon; t += random() < 0.6 ? between(1, 40) : between(100, 3000)) {
      for (let n = between(1, 6); n > 0; n--) at(t + random() * 2, send)
    }
  }

  const user: Jar = { token: server.token, past: [] }
  browse(user, 'user', 1)
  for (let i = 0; i < crashes; i++) {
    // What was set in the last 30 s at most is lost.
    at(between(900, horizon), (now) => {
      const back = user.past.find((entry) => entry.now > now - 30 * random())
      if (back === undefined) return
      user.token = back.token
      user.past = []
    })
  }
  const stolenAt = between(500, 5000)
  if (thief === true) at(stolenAt, (now) => browse({ token: user.token, past: [] }, 'thief', now + between(1, 2000)))
  if (drawer !== undefined) {
    let token: string | null = null
    let kept: string | null = null
    let since = 0
    const hunt = async (now: number): Promise<void> => {
      token ??= user.token
      if (kept === null) {
        const { ok, set } = await show(token, now, 'thief')
        if (set !== null) {
          kept = set
          since = now
        } else if (!ok) return
      } else if (now - since >= drawer) {
        if (!(await show(kept, now, 'thief')).ok) return
        token = kept
        kept = null
      }
      at(now + 1, hunt)
    }
    at(stolenAt, hunt)
  }
  if (waste !== undefined) {
    let token: string | null = null
    const poll = async (now: number): Promise<void> => {
      token ??= user.token
      if ((await show(token, now, 'thief')).ok) at(now + waste, poll)
    }
    at(stolenAt, poll)
  }

  while (queue.length > 0 && !server.isEnded()) {
    const first = takeFirst(queue)
    if (first.time > horizon) break
    const now = [Promise.resolve(first.run(first.time))]
    while (queue.some(({ time }) => time < first.time + together)) {
      const next = takeFirst(queue)
      now.push(Promise.resolve(next.run(next.time)))
    }
    await Promise.all(now)
  }
  const ended = server.isEnded()
  return { loggedOut: loggedOut || ended, lateRefused, ended, servedFor: Math.max(0, lastTheft - stolenAt), shutOut }
}

function takeFirst(queue: Happening[]): Happening {
  let first = 0
  for (let i = 1; i < queue.length; i++) if (queue[i]!.time < queue[first]!.time) first = i
  const taken = queue[first]!
  queue[first] = queue.at(-1)!
  queue.pop()
  return taken
}
