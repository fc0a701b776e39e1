import fc from 'fast-check'
import { checkAtRest, checkEndings } from './at-rest.ts'
import { Exchange } from './exchange.ts'
import { type Leap, type Program, program, type Start, type Step, timeouts, type User } from './program.ts'
import { type Browser, type StoreUnderTest, World } from './world.ts'

/** Runs one program to its end. @throws what did not hold */
export async function runProgram({ browsers, steps }: Program, scheduler: fc.Scheduler, store: StoreUnderTest): Promise<void> {
  const world = new World(scheduler, store)
  try {
    for (const [i, start] of browsers.entries()) begin(world, start, i)
    await world.settle()
    for (const [i, step] of steps.entries()) {
      await take(world, step, i)
      await world.turns(step.turns)
      world.throwFaults()
    }
    await world.settle()
    world.throwFaults()
    await world.watch.look()
    await checkAtRest(world)
    world.throwFaults()
    await sweepAll(world)
    world.throwFaults()
  } finally {
    await world.close()
    await Promise.all(Array.from(world.watch.seen.keys(), async (id) => await store.raw.delete(id)))
  }
}

function begin(world: World, start: Start, i: number): void {
  const browser: Browser = { name: `b${i}`, jar: null, past: [], punctual: true }
  world.browsers.push(browser)
  if (start === 'new') return
  const exchange = new Exchange(world, world.nodes[0]!, browser, `${browser.name}'s first request`)
  world.start(exchange.name, () => exchange.run(start === 'visitor' ? ['push'] : ['push', `login ${start}`], 'answered'))
}

async function take(world: World, step: Step, i: number): Promise<void> {
  switch (step.step) {
    case 'request': {
      const browser = browserOf(world, step.browser)
      const exchange = new Exchange(world, world.nodes[step.node]!, browser, `r${i} of ${browser.name}`)
      const { past } = browser
      const stolen = step.stolen === null || past.length === 0 ? null : past[step.stolen % past.length]!
      return world.start(exchange.name, () => exchange.run(step.acts, step.end, stolen))
    }
    case 'wait':
      return world.pass(step.ms)
    case 'leap':
      return await leap(world, step.to, browserOf(world, step.browser))
    case 'sweep':
      return world.start('sweep', async () => void (await world.nodes[step.node]!.sweep()))
    case 'end':
      return end(world, step.node, sessionOf(browserOf(world, step.browser)))
    case 'end user':
      return endUser(world, step.node, step.user, step.except === null ? null : sessionOf(browserOf(world, step.except)))
    default:
      return step satisfies never
  }
}

/** A browser's number counts round, so that any number fits any program, also one that shrank. */
function browserOf({ browsers }: World, number: number): Browser {
  return browsers[number % browsers.length]!
}

function sessionOf({ jar }: Browser): string | null {
  return jar?.slice(0, 16) ?? null
}

async function leap(world: World, to: Leap, browser: Browser): Promise<void> {
  await world.settle()
  world.pass(0)
  await world.settle()
  const { clock, model } = world
  if (typeof to === 'number') return clock.advance(to)
  const session = model.sessions.get(sessionOf(browser) ?? '')
  if (session === undefined) return
  const moment = to === 'brink' ? model.earliestExpiry(session) - 1 : model.latestExpiry(session)
  clock.set(Math.max(clock.now(), moment))
}

function end(world: World, node: number, id: string | null): void {
  if (id === null) return
  const { model } = world
  model.endsTried.add(id)
  world.start('end', async () => {
    const began = world.moment()
    await world.nodes[node]!.end(id)
    model.checkDead(id, 'it was ended', began)
  })
}

function endUser(world: World, node: number, user: User, except: string | null): void {
  const { model } = world
  const meant = [...model.sessions.values()].filter(({ id, userId }) => userId === user && id !== except)
  model.usersEnded.add(user)
  world.start('end user', async () => {
    const began = world.moment()
    await world.nodes[node]!.endUser(user, { except })
    // A list leaves out whom others ended, also where those have not been answered yet.
    await world.watch.look(meant.map(({ id }) => id))
    for (const { id } of meant) model.checkDead(id, `all sessions of ${user} were ended`, began)
  })
}

/** Past every timeout one sweep takes all that is left. */
async function sweepAll(world: World): Promise<void> {
  world.pass(timeouts.remembered.absolute + 1)
  await world.settle()
  world.start('the last sweep', async () => void (await world.nodes[0]!.sweep()))
  await world.settle()
  await world.watch.look()
  checkEndings(world)
}

/** How many programs run over the scheduled memory store; a planted bug must be found within as many. */
export const scheduledRuns = 5000

/** To run a failure again: MODEL_SEED and MODEL_PATH, as fast-check printed them. MODEL_RUNS is for longer hunts. */
export function parameters(numRuns: number): fc.Parameters<[Program, fc.Scheduler]> {
  const { MODEL_SEED: seed, MODEL_PATH: path, MODEL_RUNS: runs } = process.env
  return {
    numRuns: runs === undefined ? numRuns : Number(runs),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
    ...(path === undefined ? {} : { path, endOnFailure: true }),
  }
}

/** The property: whatever browsers do, and however it falls, all invariants hold. */
export function everyProgramHolds(store: () => StoreUnderTest): fc.IAsyncProperty<[Program, fc.Scheduler]> {
  return fc.asyncProperty(program, fc.scheduler(), async (one, scheduler) => await runProgram(one, scheduler, store()))
}
