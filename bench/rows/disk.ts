import { join } from 'node:path'
import { contest } from '../measure/contest.ts'
import { against, boundBy } from '../measure/findings.ts'
import { withFolder } from '../measure/folder.ts'
import type { Row } from '../row.ts'

const bare = { name: 'bare Express', program: 'express', library: 'bare', keeps: 'nothing' } as const

export const row: Row = {
  name: 'disk',
  title: 'Express 5, disk store',
  method:
    'An Express 5 application: bare; with the least of a session written out by hand, read from lmdb with each request and written there when it has changed; with sojourn on `disk()` (lmdb, durability by its default), and with express-session on session-file-store. ' +
    '64 sessions take turns. Here a server may use both cores, since lmdb writes in a thread of its own; the load generator shares the second one with it.',
  async run(tell) {
    return await withFolder(async (folder) => {
      const ours = {
        name: 'sojourn on disk',
        program: 'express',
        library: 'sojourn',
        settings: { store: 'disk', folder: join(folder, 'sojourn') },
      }
      const byHand = {
        name: 'by hand, on lmdb',
        program: 'express',
        library: 'by hand, stored',
        settings: { store: 'disk', folder: join(folder, 'by-hand') },
      }
      const files = {
        name: 'express-session + session-file-store',
        program: 'express',
        library: 'express-session',
        settings: { store: 'file', folder: join(folder, 'files') },
      }
      const result = await contest({ entrants: [bare, byHand, ours, files], sessions: 64, core: 'any', tell })
      return [
        ...against(result, ours.name, bare.name, '× bare', { R: 0.87, W: 0.66 }, boundBy(byHand.name)),
        ...against(result, byHand.name, bare.name, '× bare'),
        ...against(result, ours.name, files.name, '× session-file-store', { W: 15 }, { W: byHand.name }),
        ...against(result, files.name, bare.name, '× bare'),
      ]
    })
  },
}
