import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openStore } from '../../src/stores/open.ts'
import { newFolder, newRecord } from './disk-folder.ts'

test('memory: is a store in memory', async () => {
  const store = await openStore('memory:')
  expect(store.name).toBe('memory')
  await store.close()
})

test('disk: and a path is a store in that folder', async () => {
  const folder = join(newFolder(), 'a folder with ?&#%20 in it')
  const store = await openStore(`disk:${folder}`)
  expect(store.name).toBe(`disk:${folder}`)
  const record = newRecord()
  await store.put(record, 0)
  await store.close()
  expect(existsSync(join(folder, 'data.mdb'))).toBe(true)
  const again = await openStore(`DISK:${folder}`)
  expect(await again.get(record.id)).toEqual(record)
  await again.close()
})

test.each([
  '',
  'disk',
  './.data/sessions',
  '//ada:secret@host/',
  'floppy:a',
  'rediss://ada:secret@host:6379/0',
  'disk:',
  'memory:secret',
  '\n:x',
])('a URL of no known store is refused: %j', async (url) => {
  await expect(openStore(url)).rejects.toMatchObject({ name: 'SojournError', code: 'ERR_SOJOURN_OPTION' })
  await expect(openStore(url)).rejects.not.toMatchObject({ message: expect.stringMatching(/secret|ada|host/) as string })
})

test('an unknown scheme is named, and so are the known ones', async () => {
  await expect(openStore('rediss://ada:secret@host')).rejects.toThrow(/'rediss:'.*memory:.*disk:/)
})

test('an object’s own words are no schemes', async () => {
  for (const url of ['constructor:', '__proto__:x', 'toString:x'])
    await expect(openStore(url)).rejects.toMatchObject({ code: 'ERR_SOJOURN_OPTION' })
})
