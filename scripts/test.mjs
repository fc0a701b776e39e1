// npm test: sets up whatever is missing, then runs vitest once. Arguments go to vitest: npm test -- test/core -t 'a title'
import {
  buildIfNeeded,
  checkNode,
  findChromium,
  installBetterSqlite,
  installChromium,
  installDependencies,
  orFail,
  run,
  say,
  SetUpError,
} from './setup.mjs'

await orFail(async () => {
  checkNode()
  await installDependencies()
  // The tests that need it fail without it, each for itself; the others need not wait for a compiler.
  await installBetterSqlite().catch((error) => {
    if (!(error instanceof SetUpError)) throw error
    say(error.message)
  })
  await installChromium()
  await buildIfNeeded()
  const { TEST_REPORT: report } = process.env
  const reporters = report ? ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`] : []
  const env = { ...process.env, CHROMIUM: findChromium() ?? undefined }
  const { code } = await run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...process.argv.slice(2)], { env })
  process.exitCode = code
})
