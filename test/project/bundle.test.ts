import { execFile } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { parseSync } from 'oxc-parser'
import { beforeAll, describe, expect, test } from 'vitest'
import { buildIfNeeded, root } from '../../scripts/setup.mjs'

const { exports, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<'exports' | 'bin', Record<string, string>>
const entries = [...Object.entries(exports), ...Object.entries(bin)].filter(([, file]) => file.endsWith('.js'))

interface Loaded {
  readonly files: Set<string>
  readonly packages: Set<string>
}

/** What Node loads with an entry before a line of it runs. */
function loadedWith(entry: string): Loaded {
  const files = new Set([join(root, entry)])
  const packages = new Set<string>()
  for (const file of files) {
    const { module } = parseSync(file, readFileSync(file, 'utf8'))
    const specifiers = [
      ...module.staticImports.map((one) => one.moduleRequest),
      ...module.staticExports.flatMap((one) => one.entries.map((it) => it.moduleRequest)),
    ]
    for (const specifier of specifiers) {
      if (specifier === null) continue
      if (specifier.value.startsWith('.')) files.add(join(dirname(file), specifier.value))
      else if (!isBuiltin(specifier.value)) packages.add(specifier.value)
    }
  }
  return { files, packages }
}

beforeAll(buildIfNeeded)

describe('the built package', () => {
  // A file takes half a millisecond. Beyond these, a file of src/core that has got many users is missing from the list in scripts/bundle.mjs.
  test.each(entries)('%s is a few files', (subpath, file) => {
    const most = new Map([
      ['sojourn', 9],
      ['./stores/sqlite', 5],
      ['./stores/mysql', 6],
      ['./stores/postgres', 6],
    ])
    expect([...loadedWith(file).files].length, subpath).toBeLessThanOrEqual(most.get(subpath) ?? 4)
  })

  test.each(entries)('%s loads no package, but the codec its devalue', (subpath, file) => {
    expect([...loadedWith(file).packages]).toEqual(subpath === './codecs/rich' ? ['devalue'] : [])
  })

  test('it has no JavaScript that no entry leads to', () => {
    const dist = join(root, 'dist')
    const found = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'))
    const reached = new Set<string>()
    for (const [, file] of entries) for (const path of withDynamic(join(root, file))) reached.add(path)
    expect(found.map((name) => join(dist, name)).filter((path) => !reached.has(path))).toEqual([])
  })

  test('a class is one for all entries', async () => {
    const program = `import { SojournError, createSessions } from 'sojourn'
import { sealed } from 'sojourn/sealed'
import { session } from 'sojourn/express'
import { memory } from 'sojourn/stores/memory'
import { redis } from 'sojourn/stores/redis'
import { openStore } from 'sojourn/stores/open'
const fail = (work) => { try { work() } catch (error) { return error instanceof SojournError } }
const opened = await openStore('memory:')
const sessions = createSessions({ store: opened })
session(sessions)
console.log(JSON.stringify([
  fail(() => memory({ maxSessions: 0 })),
  fail(() => redis({})),
  fail(() => sealed({ keys: [] })),
  fail(() => session({})),
  await openStore('floppy:a').catch((error) => error instanceof SojournError),
  opened.constructor === memory().constructor,
]))
await sessions.close()`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], { cwd: root })
    expect(JSON.parse(stdout)).toEqual(Array.from({ length: 6 }, () => true))
  })

  test('its source maps lead to the sources that it brings', () => {
    const maps = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js.map'))
    const sources = maps.flatMap((name) => {
      const file = join(root, 'dist', name)
      return (JSON.parse(readFileSync(file, 'utf8')) as { readonly sources: readonly string[] }).sources.map((source) =>
        join(dirname(file), source),
      )
    })
    expect(sources).toContain(join(root, 'src/core/manager.ts'))
    expect(sources.filter((source) => !existsSync(source))).toEqual([])
  })
})

/** What an entry leads to, with what it loads only when it is asked for. */
function withDynamic(entry: string): Set<string> {
  const files = new Set([entry])
  for (const file of files)
    for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(/(?:from|import) ?\(?"(\.[^"]+\.js)"/g))
      files.add(join(dirname(file), name))
  return files
}
