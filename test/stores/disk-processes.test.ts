import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { SessionRecord } from '../../src/core/store.ts'
import { disk } from '../../src/stores/disk.ts'
import { agreeingContentsOf, newFolder, newRecord, start } from './disk-folder.ts'

type Line = readonly [phase: 'try' | 'done', verb: string, id: string, ...numbers: number[]]

const soon = start + 1000

function program(name: string): string {
  return fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url))
}

function run(name: string, ...args: string[]): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', program(name), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
}

/** Starts a worker, lets it work a while, and kills it. Answers what it noted. */
async function workAndDie(folder: string, shared: readonly string[]): Promise<Line[]> {
  const journal = join(newFolder(), 'journal')
  const child = run('disk-worker', folder, journal, shared.join(','), String(soon))
  const ended = once(child, 'exit')
  await once(child.stdout!, 'data')
  await pause(50 + Math.random() * 500)
  child.kill('SIGKILL')
  expect(await ended).toEqual([null, 'SIGKILL'])
  const lines = readFileSync(journal, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as Line)
}

describe('several processes on one folder', () => {
  test('killed at any moment, lose nothing they acknowledged, and leave indexes that agree', async () => {
    const folder = newFolder()
    const shared = Array.from({ length: 12 }, () => randomBytes(12).toString('base64url'))
    const log: Line[] = []
    for (let round = 0; round < 4; round++) {
      log.push(...(await Promise.all([1, 2, 3, 4].map(async () => await workAndDie(folder, shared)))).flat())
      await agreeingContentsOf(folder)
    }
    const records = await agreeingContentsOf(folder)
    const linesOf = (phase: string, verb: string) => log.filter((line) => line[0] === phase && line[1] === verb)
    const idsOf = (phase: string, verb: string) => linesOf(phase, verb).map(([, , id]) => id)

    // What was inserted is there, unless someone removed it.
    const removing = new Set(idsOf('try', 'delete'))
    const inserted = idsOf('done', 'insert')
    expect(inserted.length).toBeGreaterThan(100)
    expect(inserted.filter((id) => !removing.has(id) && !records.has(id))).toEqual([])
    const attempted = new Set([...idsOf('try', 'insert'), ...idsOf('try', 'insertSweepable'), ...shared])
    expect([...records.keys()].filter((id) => !attempted.has(id))).toEqual([])

    // What was removed is gone; each sweep took what no other took.
    const swept = idsOf('done', 'swept')
    expect(swept.length).toBeGreaterThan(10)
    expect(new Set(swept).size).toBe(swept.length)
    const deleted = idsOf('done', 'delete')
    expect(deleted.length).toBeGreaterThan(10)
    expect([...swept, ...deleted].filter((id) => records.has(id))).toEqual([])

    // Of the puts over one version one landed, and the last to land is there.
    for (const id of shared) {
      const puts = linesOf('done', 'put').filter((line) => line[2] === id)
      const over = puts.map((line) => line[3])
      expect(new Set(over).size).toBe(over.length)
      const last = Math.max(0, ...puts.map((line) => line[4]!))
      const { version, expiresAt } = records.get(id)!
      expect(version).toBeGreaterThanOrEqual(last)
      const tried = linesOf('try', 'put').filter((line) => line[2] === id)
      expect(tried.map((line) => line[4])).toContain(version)
      const touches = linesOf('done', 'touch').filter((line) => line[2] === id && line[3] === version)
      expect(expiresAt).toBeGreaterThanOrEqual(Math.max(0, ...touches.map((line) => line[4]!)))
    }

    const store = disk(folder)
    for (const [id, record] of records) expect(await store.get(id)).toEqual(record)
    await store.close()
  })

  test('that increment one session by compare-and-swap lose no change', async () => {
    expect(await count(newFolder(), [['100'], ['100'], ['100'], ['100']])).toEqual({ data: '400', version: 401 })
  })

  // lmdb alone loses commits, or damages the file, when an environment is opened while others write to it.
  test('come and go while others write, and nothing is lost', async () => {
    const folder = join(newFolder(), 'a folder whose name is far too long for the path of a socket in it'.repeat(2))
    const visitors = [1, 2].map(() => ['60', 'visitor'])
    expect(await count(folder, [['1000'], ['1000'], ...visitors])).toEqual({ data: '2120', version: 2121 })
    expect(readdirSync(folder).sort()).toEqual(['data.mdb', 'gate.mdb', 'gate.mdb-lock', 'lock.mdb'])
  })
})

/** Runs counters on one session, and answers what they made of it. */
async function count(folder: string, counters: readonly (readonly string[])[]): Promise<Pick<SessionRecord, 'data' | 'version'>> {
  const store = disk(folder)
  const { id } = newRecord()
  await store.put(newRecord({ id, data: '0' }), 0)
  const children = counters.map((args) => run('disk-counter', folder, id, ...args))
  const ended = await Promise.all(children.map(async (child) => await once(child, 'exit')))
  expect(ended).toEqual(counters.map(() => [0, null]))
  const { data, version } = (await store.get(id, { fresh: true }))!
  await store.close()
  await agreeingContentsOf(folder)
  return { data, version }
}

test('when the system gives no more space, all that was acknowledged stays, and what removes still lands', async () => {
  const folder = newFolder()
  const command = `ulimit -f 8192 && exec "$@"`
  const args = ['-c', command, 'sh', process.execPath, '--import', 'tsx', program('disk-filler'), folder]
  const child = spawn('bash', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const [output, complaints, ended] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  // lmdb says each failed commit here: it must never come to that.
  expect({ complaints, ended }).toEqual({ complaints: '', ended: [0, null] })
  const found = JSON.parse(output) as Record<string, unknown> & { filled: number; swept: number; refilled: number }
  expect(found).toMatchObject({
    codes: ['ERR_SOJOURN_STORE_FULL'],
    huge: false,
    ended: 100,
    touched: 100,
    deleted: 100,
    failedLater: [],
    unhandled: 0,
  })
  expect(found.filled).toBeGreaterThan(1000)
  expect(found['kept']).toBe(found.filled)
  expect(found.swept).toBeGreaterThan(found.filled / 3)
  expect(found.refilled).toBeGreaterThan(100)
  const records = await agreeingContentsOf(folder)
  expect(records.size).toBe(found.filled + found.refilled - 100 - found.swept)
})

test('an open store does not keep its process alive', async () => {
  const source = `import { disk } from ${JSON.stringify(new URL('../../src/stores/disk.ts', import.meta.url).href)}
    const store = disk(process.argv[1])
    await store.put(${JSON.stringify(newRecord())}, 0)
    console.log(store.get(${JSON.stringify(newRecord().id)}))`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source, newFolder()], { stdio: 'ignore' })
  expect(await once(child, 'exit')).toEqual([0, null])
})
