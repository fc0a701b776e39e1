// npm run build: compiles src to a new dist. With --if-needed, only when dist is absent or older than src.
import { build, buildIfNeeded, orFail } from './setup.mjs'

await orFail(async () => {
  await (process.argv.includes('--if-needed') ? buildIfNeeded() : build())
})
