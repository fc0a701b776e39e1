import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { buildIfNeeded, root } from '../../scripts/setup.mjs'
import { SojournError, type SojournErrorCode } from '../../src/core/errors.ts'
import { compileExamples } from './examples.ts'
import { brokenLinks, parsePage, readPages } from './markdown.ts'
import { missingTests } from './named-tests.ts'

const pages = readPages(root)
const read = (path: string) => readFileSync(join(root, path), 'utf8')

beforeAll(buildIfNeeded)

describe('what the documentation shows compiles', () => {
  test('every TypeScript block of every page', async () => {
    expect(await compileExamples(root, pages)).toEqual([])
  })

  test('a planted mistake is told by the line of its page', async () => {
    const page = parsePage(
      'docs/planted.md',
      [
        '# Planted',
        '```ts sessions.ts',
        "import { createSessions } from 'sojourn'",
        'export const sessions = createSessions({ initial: () => ({ visits: 0 }) })',
        '```',
        '```ts',
        "import { sessions } from './sessions.ts'",
        '```',
        'Text between.',
        '```ts continued',
        'await sessions.close()',
        "sessions.shut('now')",
        '```',
        '```ts',
        "import { sesion } from 'sojourn/express'",
        "import 'sojourn/missing'",
        '```',
      ].join('\n'),
    )
    expect(await compileExamples(root, [page])).toEqual([
      expect.stringMatching(/^docs\/planted\.md:12 error TS\d+: Property 'shut' does not exist/),
      expect.stringMatching(/^docs\/planted\.md:15 error TS\d+: .*has no exported member.* 'sesion'/),
      expect.stringMatching(/^docs\/planted\.md:16 error TS\d+: Cannot find module .*'sojourn\/missing'/),
    ])
  })
})

describe('links within the repository', () => {
  test('lead to files and headings that are there', () => {
    expect(brokenLinks(root, pages)).toEqual([])
  })

  test('a planted one that leads nowhere is found', () => {
    const page = parsePage(
      'docs/planted.md',
      [
        '# A heading, "here"',
        '[a](#a-heading-here) [b](../package.json) [c](https://example.com/x) `[d](./in-code.md)`',
        '```md',
        '[e](./in-a-block.md)',
        '```',
        '[f](./missing.md) ![g](pictures/missing.png)',
        '[h](#no-such-heading) [j](../README.md#no-such-heading)',
        '[i]: ../../elsewhere.md',
      ].join('\n'),
    )
    expect(brokenLinks(root, [page, parsePage('README.md', '# Sojourn')])).toEqual([
      'docs/planted.md:6 links to ./missing.md, which is not there',
      'docs/planted.md:6 links to pictures/missing.png, which is not there',
      'docs/planted.md:7 links to #no-such-heading, and no heading there has that name',
      'docs/planted.md:7 links to ../README.md#no-such-heading, and no heading there has that name',
      'docs/planted.md:8 links to ../../elsewhere.md, which is outside the repository',
    ])
  })
})

describe('docs/errors.md', () => {
  const union = /export type SojournErrorCode =([^;]*?)\n\n/.exec(read('src/core/errors.ts'))?.[1] ?? ''
  const codes = [...union.matchAll(/'(ERR_SOJOURN_\w+)'/g)].map(([, code]) => code as SojournErrorCode)

  test('tells of every code there is and of no other, with its status', () => {
    expect(codes.length).toBeGreaterThan(10)
    const rows = [...read('docs/errors.md').matchAll(/^\| `(ERR_SOJOURN_\w+)` \|.*\| (\d+) \|.*\|$/gm)].map(
      ([, code, status]) => `${code} ${status}`,
    )
    expect(new Set(rows)).toEqual(new Set(codes.map((code) => `${code} ${new SojournError(code, '').status}`)))
  })
})

describe('docs/security.md', () => {
  test('names tests that are there, in every line of its tables', () => {
    const page = pages.find(({ path }) => path === 'docs/security.md')!
    expect(page.prose.filter((line) => line.startsWith('| ')).length).toBeGreaterThan(50)
    expect(missingTests(root, page)).toEqual([])
  })

  test('a planted line without one, or with one that is not there, is found', () => {
    const page = parsePage(
      'docs/planted.md',
      [
        '| What “they saw” | Test |',
        '| --- | --- |',
        '| a | [docs](../test/project/docs.test.ts) “lead to files and headings that are there” |',
        '| b | *(to come)* |',
        '| “c” | none |',
        '| d | [imports](../test/project/imports.test.ts) “no such %s”, [gone](../test/gone.test.ts) “lead to files” |',
      ].join('\n'),
    )
    expect(missingTests(root, page)).toEqual([
      'docs/planted.md:5 names no test',
      'docs/planted.md:6 names “no such %s”, which is not in ../test/project/imports.test.ts',
      'docs/planted.md:6 names “lead to files”, which is not in ../test/gone.test.ts',
    ])
  })
})

describe('every subpath that package.json exports', () => {
  const exports: Record<string, string> = JSON.parse(read('package.json')).exports
  const subpaths = Object.entries(exports).filter(([subpath]) => subpath !== './package.json')

  test.each(subpaths)('%s has its file, with types, in dist', (_, file) => {
    expect(existsSync(join(root, file)), file).toBe(true)
    expect(existsSync(join(root, file.replace(/\.js$/, '.d.ts'))), `the types of ${file}`).toBe(true)
  })

  test.each(subpaths)('%s is told of in the documentation', (subpath) => {
    const name = subpath.replace('.', 'sojourn')
    const mention = new RegExp(String.raw`['"\`]${name}['"\`]`)
    expect(pages.filter(({ prose, fences }) => mention.test([...prose, ...fences.flatMap(({ code }) => code)].join('\n')))).not.toEqual([])
  })
})
