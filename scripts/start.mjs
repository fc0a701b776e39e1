// npm start: sets up whatever is missing, then becomes the demo shop: the same process, so that signals, exit codes and a kill are the
// shop's own. For the same reason package.json says `exec`, without which npm ends only its shell; what follows it there is for cmd.exe.
import { buildIfNeeded, checkNode, installDependencies, installDriver, orFail } from './setup.mjs'

await orFail(async () => {
  checkNode()
  await installDependencies()
  await installDriver()
  await buildIfNeeded()
})
if (process.exitCode === undefined) {
  const { register } = await import('tsx/esm/api')
  register()
  await import('../examples/shop/server.ts')
}
