// npm run services -- redis postgres: starts servers of these kinds, all without any, and keeps them until it is ended. With the
// lines that it prints in the environment the tests use them, and begin at once.
import { kinds, prepare, start, variables, type Kind } from './kinds.ts'

const isKind = (name: string): name is Kind => Object.hasOwn(variables, name)

const names = process.argv.slice(2)
const unknown = names.filter((name) => !isKind(name))
if (unknown.length > 0) {
  console.error(`There is no kind of server '${unknown.join("', '")}'. There are: ${kinds.join(', ')}`)
  process.exit(1)
}

await Promise.all(
  (names.length > 0 ? names.filter(isKind) : kinds).map(async (kind) => {
    await prepare(kind)
    const { url, version } = await start(kind, { isDurable: false })
    console.log(`export ${variables[kind][0]}='${url}' # ${version}`)
  }),
)

// The servers themselves keep no process alive; they end with this one.
setInterval(() => {}, 60_000)
