// The checks of .ci/run, in a fresh clone: both commands of the README, then what else must hold. A failing step stops no other.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { root } from './setup.mjs'

/** In the environment of all that is started here, by which it is found again. */
const mark = randomUUID()
const env = { ...process.env, NO_COLOR: '1', SOJOURN_CI: mark }
const report = join(tmpdir(), 'test-report.json')

/** @typedef {{ name: string, problem: string | null, seconds: number }} Check */
/** @type {Check[]} */
const checks = []

/** @param {unknown} error */
const messageOf = (error) => (error instanceof Error ? error.message : String(error))

/**
 * Runs one check; it fails by throwing.
 *
 * @param {string} name
 * @param {() => Promise<void>} work
 */
async function check(name, work) {
  console.log(`\n=== ${name}`)
  const began = performance.now()
  /** @type {string | null} */
  let problem = null
  try {
    await work()
  } catch (error) {
    problem = messageOf(error)
    console.log(problem)
  }
  checks.push({ name, problem, seconds: (performance.now() - began) / 1000 })
}

/** @type {number | undefined} the process group of the step that is running */
let group

/**
 * Starts npm in a process group of its own.
 *
 * @param {string[]} args
 * @param {{ more?: NodeJS.ProcessEnv | undefined, isShown?: boolean | undefined }} [options]
 */
function startNpm(args, { more = {}, isShown = false } = {}) {
  const stdio = isShown ? 'inherit' : 'pipe'
  const child = spawn('npm', args, { cwd: root, env: { ...env, ...more }, stdio: ['ignore', stdio, stdio], detached: true })
  group = child.pid
  let output = ''
  child.stdout?.on('data', (chunk) => (output += chunk))
  child.stderr?.on('data', (chunk) => (output += chunk))
  /** @type {Promise<string | number | null>} */
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)))
  const closed = once(child, 'close')
  return { child, ended, closed, output: () => output.trimEnd() }
}

/**
 * @param {string[]} args of npm
 * @param {{ minutes?: number, more?: NodeJS.ProcessEnv, isShown?: boolean }} [options]
 */
async function npm(args, { minutes = 3, more, isShown } = {}) {
  const { ended, closed, output } = startNpm(args, { more, isShown })
  const outcome = await Promise.race([ended, sleep(minutes * 60_000, 'late', { ref: false })])
  endWhatIsLeft()
  if (outcome === 0) return
  await closed // The last of the output may come after the end.
  const told = outcome === 'late' ? `took longer than ${minutes} minutes` : `ended with ${outcome}`
  throw new Error(`${output()}\nnpm ${args.join(' ')} ${told}.`.trimStart())
}

/** Ends what a step left running: its process group, and (Linux alone can tell) whatever bears this run's mark in its environment. */
function endWhatIsLeft() {
  if (group !== undefined) end(-group)
  group = undefined
  if (!existsSync('/proc/self/environ')) return
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && entry !== String(process.pid))) {
    try {
      if (readFileSync(`/proc/${name}/environ`, 'latin1').includes(`SOJOURN_CI=${mark}`)) end(Number(name))
    } catch {
      // It ended by itself, or belongs to somebody else.
    }
  }
}

/** @param {number} target a process, or a group if it is negative */
function end(target) {
  try {
    process.kill(target, 'SIGKILL')
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error
  }
}

async function startsAndEnds() {
  const { child, ended, output } = startNpm(['start'], { more: { PORT: '0' } })
  try {
    const address = await addressOf(output, ended)
    const health = await fetch(new URL('/health', address))
    expect(health.status === 200 && (await health.text()).trim() === 'ok', `GET /health answered ${health.status}, not 200 ok`)
    const answer = await fetch(new URL('/api/session', address))
    expect(answer.status === 200, `GET /api/session answered ${answer.status}`)
    const session = /** @type {{ id?: unknown }} */ (await answer.json())
    expect(session.id === null, `GET /api/session gave a new visitor the session ${JSON.stringify(session)}`)
    expect(answer.headers.get('set-cookie') === null, 'GET /api/session set a cookie for a visitor who did nothing')
    child.kill('SIGTERM')
    const outcome = await Promise.race([ended, sleep(20_000, 'late', { ref: false })])
    expect(
      outcome === 0,
      outcome === 'late' ? 'npm start was still there 20 s after SIGTERM' : `npm start ended with ${outcome} after SIGTERM, not 0`,
    )
    const gone = await fetch(new URL('/health', address)).then(
      () => false,
      () => true,
    )
    expect(gone, 'the shop still answers after npm start has ended')
    console.log(output())
  } catch (error) {
    throw new Error(`${output()}\n${messageOf(error)}`, { cause: error })
  } finally {
    endWhatIsLeft()
  }
}

/** @param {() => string} output @param {Promise<string | number | null>} ended */
async function addressOf(output, ended) {
  let outcome
  void ended.then((how) => (outcome = how))
  for (const began = Date.now(); Date.now() - began < 5 * 60_000; await sleep(100)) {
    const line = /^Sojourn shop on (http:\S+) \(sessions: .+\)$/m.exec(output())
    if (line?.[1] !== undefined) return line[1]
    expect(outcome === undefined, `npm start ended with ${outcome} before the shop listened`)
  }
  throw new Error('npm start did not say within 5 minutes that the shop listens')
}

/** @param {boolean} holds @param {string} otherwise @returns {asserts holds} */
function expect(holds, otherwise) {
  if (!holds) throw new Error(otherwise)
}

/** What vitest's own report says. A file that fails before its first test counts as one failed test. */
function countTests() {
  if (!existsSync(report)) return null
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(readFileSync(report, 'utf8'))
  /** @type {{ status: string, assertionResults: { status: string }[] }[]} */
  const files = testResults
  const broken = files.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  )
  return { passed: numPassedTests, failed: numFailedTests + broken.length, unrun: numPendingTests + numTodoTests }
}

for (const signal of /** @type {const} */ (['SIGTERM', 'SIGINT'])) {
  process.on(signal, () => {
    endWhatIsLeft()
    process.exit(1)
  })
}

await check('npm start on a fresh clone: installs, builds, listens, answers, ends on SIGTERM', startsAndEnds)
/** @type {ReturnType<typeof countTests>} */
let tests = null
await check('npm test on a fresh clone: runs to its end, and no test is skipped', async () => {
  const problem = await npm(['test'], { minutes: 40, more: { TEST_REPORT: report }, isShown: true }).then(
    () => null,
    (error) => error,
  )
  tests = countTests()
  expect(tests !== null && tests.passed + tests.failed > 0, `vitest reported no test. ${problem?.message ?? ''}`)
  expect(tests.unrun === 0, `${tests.unrun} tests have no result: they are skipped, or their file broke off. ${problem?.message ?? ''}`)
  // A failed test counts for itself, below; what counts here is a run that failed for another reason.
  if (problem !== null && tests.failed === 0) throw problem
})
for (const script of ['types', 'lint', 'format:check', 'package:lint', 'package:types', 'package:size']) {
  await check(`npm run ${script}`, () => npm(['run', script]))
}

const { passed, failed } = tests ?? { passed: 0, failed: 0 }
const failedChecks = checks.filter(({ problem }) => problem !== null).length
console.log('\nThe checks, each counted as one:')
for (const { name, problem, seconds } of checks)
  console.log(`  ${problem === null ? 'passed' : 'FAILED'}  ${name} (${seconds.toFixed(1)} s)`)
console.log(`The tests by vitest's report, the import rule and the documentation's examples among them: ${passed} passed, ${failed} failed`)
console.log(`\n${checks.length - failedChecks + passed} passed, ${failedChecks + failed} failed`)
process.exitCode = failedChecks + failed === 0 ? 0 : 1
