// npm run bench: sets up what is missing, then measures. npm run bench -- node-http express: these rows alone.
import { existsSync } from 'node:fs'
import { basename, delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  buildIfNeeded,
  checkNode,
  hasDependencies,
  installDebianPackages,
  installDependencies,
  orFail,
  run,
  say,
  SetUpError,
} from '../scripts/setup.mjs'

const folder = fileURLToPath(new URL('.', import.meta.url))

async function installPeers() {
  if (hasDependencies(folder)) return
  say('Installing what sojourn is measured against (npm ci in bench/) …')
  const args = ['ci', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error']
  const program = process.env.npm_execpath
  const isNpm = program !== undefined && basename(program) === 'npm-cli.js'
  const { code, output } = isNpm
    ? await run(process.execPath, [program, ...args], { quiet: true })
    : await run('npm', args, { quiet: true, shell: process.platform === 'win32' })
  if (code !== 0) throw new SetUpError(`${output.trimEnd()}\nThe peers could not be installed: npm ci ended with code ${code}.`)
}

async function installWrk() {
  const isThere = () => (process.env.PATH ?? '').split(delimiter).some((place) => existsSync(join(place, 'wrk')))
  if (isThere()) return
  const otherwise = 'The load generator wrk is missing: install it (Debian: apt-get install wrk; macOS: brew install wrk).'
  const problem = await installDebianPackages(['wrk'], 'which loads the servers', otherwise)
  if (problem !== null || !isThere()) throw new SetUpError(problem ?? otherwise)
}

await orFail(async () => {
  checkNode()
  await installDependencies()
  await installPeers()
  await installWrk()
  await buildIfNeeded()
  const { code } = await run(process.execPath, ['--import', 'tsx', join(folder, 'main.ts'), ...process.argv.slice(2)])
  process.exitCode = code
})
