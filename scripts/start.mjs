// npm start: sets up whatever is missing, then runs the demo shop.
import { buildIfNeeded, checkNode, exitWith, installDependencies, run } from './setup.mjs'

await exitWith(async () => {
  checkNode()
  await installDependencies()
  await buildIfNeeded()
  const { code } = await run(process.execPath, ['--import', 'tsx', 'examples/shop/server.ts', ...process.argv.slice(2)])
  return code
})
