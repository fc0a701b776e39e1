// Starts a private server of each kind that it is given, tells their URLs in one line, and waits to be ended.
import { service, type Kind } from '../service.ts'

const servers = await Promise.all(process.argv.slice(2).map(async (kind) => await service(kind as Kind)))
console.log(JSON.stringify(servers.map(({ url }) => url)))
setInterval(() => {}, 60_000)
