// npm run build: compiles src to a new dist. With --if-needed, only when dist is absent or older than src.
import { build, buildIfNeeded, exitWith } from './setup.mjs'

await exitWith(async () => {
  await (process.argv.includes('--if-needed') ? buildIfNeeded() : build())
  return 0
})
