import { readFileSync, readdirSync } from 'node:fs'
import { join, sep } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../../scripts/setup.mjs'
import { brokenImports, importsOf } from './import-rule.ts'

const src = join(root, 'src')
const sources = new Map(
  readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => [name.split(sep).join('/'), readFileSync(join(src, name), 'utf8')]),
)

describe('imports point inward, to core', () => {
  test('in every file of src', () => {
    expect(sources.size).toBeGreaterThan(10)
    expect(brokenImports(sources)).toEqual([])
  })

  const planted: [path: string, source: string, complaint: string][] = [
    ['core/a.ts', "import { memory } from '../stores/memory.ts'", "src/core/a.ts:1 imports '../stores/memory.ts', which points outward"],
    ['core/a.ts', "\nimport type { memory } from '../stores/memory.ts'", 'src/core/a.ts:2 imports'],
    ['core/a.ts', "export * from '../stores/memory.ts'", 'points outward'],
    ['core/a.ts', "export { memory } from '../stores/memory.ts'", 'points outward'],
    ['core/a.ts', "export const load = () => import('../stores/memory.ts')", 'points outward'],
    ['core/a.ts', "export type M = typeof import('../stores/memory.ts')", 'points outward'],
    ['core/a.ts', "import '../index.ts'", 'points outward'],
    ['core/a.ts', "import fs from 'fs'", 'write node:fs'],
    ['core/a.ts', "import './missing.ts'", 'is no file of src'],
    ['core/a.ts', "import './b.js'", 'is no file of src'],
    ['core/a.ts', "import '../../package.json'", 'is no file of src'],
    ['core/a.ts', 'export const load = (name: string) => import(name)', 'imports something that is computed'],
    ['adapters/a.ts', "import { cookie } from '../transports/cookie.ts'", 'points sideways'],
    ['adapters/a.ts', "import { createSessions } from '../index.ts'", 'points sideways or outward'],
    ['adapters/a.ts', "import type { Request } from 'express'", 'is a package'],
    ['adapters/a.ts', "import { createSessions } from 'sojourn'", 'is a package'],
    [
      'stores/memory.ts',
      "import { createRequire } from 'node:module'\ncreateRequire(import.meta.url)('lmdb')",
      ":2 imports 'lmdb', which is an optional peer",
    ],
    [
      'stores/redis.ts',
      "import { createRequire } from 'node:module'\nconst load = createRequire(import.meta.url)\nload('redis')",
      'is an optional peer',
    ],
    [
      'stores/redis.ts',
      "import { createRequire } from 'node:module'\nconst load = createRequire(import.meta.url)\nload.resolve('redis')",
      'is an optional peer',
    ],
    ['stores/open.ts', "export const load = () => import('mysql2/promise')", 'is an optional peer'],
    ['stores/postgres.ts', "import type { Pool } from 'pg'", 'is an optional peer'],
    ['codecs/plain.ts', "import { stringify } from 'devalue'", 'is an optional peer'],
    ['other.ts', "import { memory } from './stores/memory.ts'", 'points sideways'],
  ]
  test.each(planted)('a planted import is found: %s, %j', (path, source, complaint) => {
    const files = new Map([
      ...['core/b.ts', 'stores/memory.ts', 'transports/cookie.ts', 'index.ts'].map((name) => [name, ''] as const),
      [path, source] as const,
    ])
    expect(brokenImports(files)).toEqual([expect.stringContaining(complaint)])
  })

  test('what the rule allows is left in peace', () => {
    const files = new Map([
      ['index.ts', "export * from './core/b.ts'\nexport { memory } from './stores/memory.ts'"],
      ['sessions.ts', "import { cookie } from './transports/cookie.ts'"],
      ['core/b.ts', "import { hash } from 'node:crypto'\n// import { x } from 'nowhere'\nexport const text = \"import y from 'nowhere'\""],
      ['stores/memory.ts', "import type { B } from '../core/b.ts'\nimport { entry } from './memory/entry.ts'"],
      ['stores/memory/entry.ts', "export * from '../../core/b.ts'"],
      [
        'stores/disk.ts',
        "import { createRequire } from 'node:module'\nconst load = createRequire(import.meta.url)\nexport const lmdb = load('lmdb') as typeof import('lmdb')",
      ],
      ['codecs/rich.ts', "import { stringify } from 'devalue'"],
      ['transports/cookie.ts', ''],
      ['testing/index.ts', "import { memory } from '../stores/memory.ts'\nimport { cookie } from '../transports/cookie.ts'"],
    ])
    expect(brokenImports(files)).toEqual([])
    expect(importsOf('stores/disk.ts', files.get('stores/disk.ts') ?? '')).toHaveLength(3)
  })
})
