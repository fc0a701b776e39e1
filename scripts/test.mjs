// npm test: sets up whatever is missing, then runs vitest once. Arguments go to vitest: npm test -- test/core -t 'a title'
import { buildIfNeeded, checkNode, findChromium, installChromium, installDependencies, orFail, run } from './setup.mjs'

await orFail(async () => {
  checkNode()
  await installDependencies()
  await installChromium()
  await buildIfNeeded()
  const { TEST_REPORT: report } = process.env
  const reporters = report ? ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`] : []
  const env = { ...process.env, CHROMIUM: findChromium() ?? undefined }
  const { code } = await run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...process.argv.slice(2)], { env })
  process.exitCode = code
})
