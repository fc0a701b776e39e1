// npm run build: makes a new dist, in which tsc writes the types, one file for each of src, and esbuild the JavaScript, few files for
// all of them: bundle.mjs says why. With --if-needed, only when dist is absent or older than what it is made of.
import { build, buildIfNeeded, orFail } from './setup.mjs'

await orFail(async () => {
  await (process.argv.includes('--if-needed') ? buildIfNeeded() : build())
})
