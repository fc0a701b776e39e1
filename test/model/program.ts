import fc from 'fast-check'

export const users = ['ada', 'alan'] as const
export type User = (typeof users)[number]

/** What a handler does, in words, so that a failing program reads as a story. */
export type Act =
  | 'read'
  | 'push'
  | 'add'
  | 'edit a'
  | 'edit b'
  | 'flash'
  | 'take flashes'
  | 'save'
  | 'add without waiting'
  | 'save without waiting'
  | 'renew'
  | 'touch'
  | 'logout'
  | `login ${User}`
  | `login ${User}, remembered`

export type Answer = 'answered' | 'answer lost' | 'thrown away'

/** Where the clock goes when nothing is in flight: by so much, or to the last moment before (or the first after) a session may expire. */
export type Leap = number | 'brink' | 'expiry'

/** After most steps the scheduler is let go on for some turns; what is not done by then stays in flight. */
interface Going {
  readonly turns: number
}

export type Step = Going &
  (
    | {
        readonly step: 'request'
        readonly browser: number
        readonly node: number
        readonly acts: readonly Act[]
        readonly end: Answer
        /** Which of the tokens that its browser ever had it shows, as a thief who copied the jar would; null: the one in the jar. */
        readonly stolen: number | null
      }
    | { readonly step: 'wait'; readonly ms: number }
    | { readonly step: 'leap'; readonly to: Leap; readonly browser: number }
    | { readonly step: 'sweep'; readonly node: number }
    | { readonly step: 'end'; readonly browser: number; readonly node: number }
    | { readonly step: 'end user'; readonly user: User; readonly except: number | null; readonly node: number }
  )

/** How a browser comes into the program. */
export type Start = 'new' | 'visitor' | User

export interface Program {
  readonly browsers: readonly Start[]
  readonly steps: readonly Step[]
}

const seconds = 1000
const minutes = 60 * seconds

export const timeouts = {
  idle: 30 * minutes,
  absolute: 80 * minutes,
  renew: 5 * minutes,
  grace: 60 * seconds,
  slice: 20 * seconds,
  remembered: { idle: 45 * minutes, absolute: 2 * 60 * minutes },
} as const

/** How often each thing is done, as the programs of one kind go. */
interface Mix {
  readonly acts: readonly (readonly [weight: number, ...acts: Act[]])[]
  readonly ends: readonly (readonly [weight: number, end: Answer])[]
  readonly steps: { readonly request: number; readonly wait: number; readonly leap: number; readonly sweep: number; readonly end: number }
  /** What may be in flight at once: the turns that the scheduler is let go on after a step. */
  readonly turns: fc.Arbitrary<number>
  readonly browsers: number
  /** To so many honest requests there is one with a stolen token. */
  readonly honesty: number
  readonly leaps: readonly Leap[]
  readonly waits: readonly number[]
}

// While requests are in flight, mostly so little that all messages take less than half the grace.
const anyWait = [2, 10, 21, 2, 10, 21, 37, 61, 6 * 60].map((time) => time * seconds)
const anyLeap: readonly Leap[] = [25 * seconds, 37 * seconds, 61 * seconds, 6 * minutes, 'brink', 'brink', 'expiry']

const anyTurns = fc.oneof(fc.constant(0), fc.nat({ max: 8 }), fc.nat({ max: 40 }))

/** Everything at once: logins, logouts, ends and writes over each other. */
const crowd: Mix = {
  acts: [
    [3, 'read'],
    [6, 'push', 'add', 'edit b'],
    [5, 'edit a'],
    [3, 'flash', 'take flashes'],
    [4, 'save', 'touch', 'add without waiting', 'save without waiting'],
    [3, 'renew'],
    [3, 'login ada', 'login alan', 'login ada, remembered', 'login alan, remembered'],
    [1, 'logout'],
  ],
  ends: [
    [7, 'answered'],
    [2, 'answer lost'],
    [1, 'thrown away'],
  ],
  steps: { request: 12, wait: 3, leap: 2, sweep: 1, end: 1 },
  turns: anyTurns,
  browsers: 3,
  honesty: 200,
  leaps: anyLeap,
  waits: anyWait,
}

/** The long life of few sessions: renewals, lost answers, timeouts. */
const ages: Mix = {
  acts: [
    [8, 'read'],
    [4, 'renew'],
    [2, 'touch', 'push'],
    [1, 'login ada, remembered', 'edit a'],
  ],
  ends: [
    [5, 'answered'],
    [4, 'answer lost'],
    [1, 'thrown away'],
  ],
  steps: { request: 10, wait: 4, leap: 6, sweep: 1, end: 0 },
  turns: fc.oneof(fc.constant(40), fc.nat({ max: 8 })),
  browsers: 2,
  honesty: 6,
  leaps: anyLeap,
  waits: anyWait,
}

/** Around the last moment: requests that are in flight while their session expires, or would have without the others. */
const dusk: Mix = {
  acts: [
    [4, 'read'],
    [4, 'push', 'add', 'add without waiting'],
    [3, 'logout', 'login ada', 'login alan'],
    [1, 'touch', 'renew', 'save'],
  ],
  ends: [[1, 'answered']],
  steps: { request: 10, wait: 4, leap: 3, sweep: 1, end: 1 },
  turns: fc.nat({ max: 14 }),
  browsers: 1,
  honesty: 200,
  leaps: ['brink'],
  waits: [21 * seconds, 37 * seconds],
}

function programs({ acts, ends, steps, turns, browsers, honesty, leaps, waits }: Mix): fc.Arbitrary<Program> {
  const browser = fc.nat({ max: browsers - 1 })
  const node = fc.nat({ max: 1 })
  const act = fc.oneof(...acts.map(([weight, ...some]) => ({ weight, arbitrary: fc.constantFrom(...some) })))
  const request = fc.record<Step & { step: 'request' }>({
    step: fc.constant('request'),
    browser,
    node,
    acts: fc.array(act, { minLength: 1, maxLength: 4 }),
    end: fc.oneof(...ends.map(([weight, end]) => ({ weight, arbitrary: fc.constant(end) }))),
    stolen: fc.oneof({ weight: honesty, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat({ max: 3 }) }),
    turns,
  })
  const wait = fc.record<Step & { step: 'wait' }>({ step: fc.constant('wait'), ms: fc.constantFrom(...waits), turns })
  const leap = fc.record<Step & { step: 'leap' }>({
    step: fc.constant('leap'),
    to: fc.constantFrom(...leaps),
    browser,
    turns: fc.constant(0),
  })
  const sweep = fc.record<Step & { step: 'sweep' }>({ step: fc.constant('sweep'), node, turns })
  const end = fc.record<Step & { step: 'end' }>({ step: fc.constant('end'), browser, node, turns })
  const endUser = fc.record<Step & { step: 'end user' }>({
    step: fc.constant('end user'),
    user: fc.constantFrom(...users),
    except: fc.option(browser),
    node,
    turns,
  })
  const step = fc.oneof(
    { weight: steps.request, arbitrary: request },
    { weight: steps.wait, arbitrary: wait },
    { weight: steps.leap, arbitrary: leap },
    { weight: steps.sweep, arbitrary: sweep },
    { weight: steps.end, arbitrary: end },
    { weight: steps.end, arbitrary: endUser },
  )
  return fc.record({
    browsers: fc.array(fc.constantFrom<Start>('new', 'visitor', ...users), { minLength: 1, maxLength: browsers }),
    steps: fc.array(step, { minLength: 5, maxLength: 25, size: 'max' }),
  })
}

/** One to three browsers, five to twenty-five steps, on two nodes that share one store. */
export const program: fc.Arbitrary<Program> = fc.oneof(
  { weight: 3, arbitrary: programs(crowd) },
  { weight: 2, arbitrary: programs(ages) },
  { weight: 2, arbitrary: programs(dusk) },
)
