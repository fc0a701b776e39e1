import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run } from '../../scripts/setup.mjs'
import type { Page } from './markdown.ts'

/** One file of documented code: the lines of the page that it was made of. */
interface Example {
  readonly file: string
  readonly page: string
  /** For each line of the file the page's line. */
  readonly lines: number[]
  readonly code: string[]
}

/**
 * The TypeScript in a page, block by block. Each ```ts block is a module of its own; one marked ```ts continued goes on with the block
 * before it; one marked with a name, as in ```ts sessions.ts, can be imported by that name from the page's other blocks.
 */
export function examplesOf(page: Page): Example[] {
  const examples: Example[] = []
  const folder = page.path.replace(/\.md$/, '')
  for (const { language, words, line, code } of page.fences) {
    if (language !== 'ts' && language !== 'typescript') continue
    const name = words.find((word) => word.endsWith('.ts')) ?? `line-${line}.ts`
    const last = examples.at(-1)
    const isNew = last === undefined || !words.includes('continued')
    const example: Example = isNew ? { file: `${folder}/${name}`, page: page.path, lines: [], code: [] } : last
    if (isNew) examples.push(example)
    for (const [index, text] of code.entries()) {
      example.code.push(text)
      example.lines.push(line + index)
    }
  }
  return examples
}

/** Compiles the pages' examples as an application would that has sojourn installed. What tsc says is told by the pages' own lines. */
export async function compileExamples(root: string, pages: readonly Page[]): Promise<string[]> {
  const examples = pages.flatMap(examplesOf)
  if (examples.length === 0) return []
  // Beneath node_modules, so that `sojourn` and its peers resolve as they do for an application, by the package's exports.
  const folder = join(root, 'node_modules', '.cache', `documented-examples.${process.pid}`)
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text)
  }
  rmSync(folder, { recursive: true, force: true })
  write('package.json', JSON.stringify({ type: 'module' }))
  write('tsconfig.json', JSON.stringify({ compilerOptions, files: examples.map(({ file }) => file) }))
  for (const { file, code } of examples) write(file, [...code, 'export {}', ''].join('\n'))
  try {
    const { code, output } = await run(process.execPath, ['node_modules/typescript/bin/tsc', '--pretty', 'false', '-p', folder], {
      quiet: true,
    })
    if (code !== 0 && output.trim() === '') return [`tsc ended with code ${code} and said nothing`]
    // One complaint may go on in lines that are indented.
    const told = output.split(/\n(?=\S)/).filter(Boolean)
    return told.map((complaint) => onPage(complaint.trimEnd(), examples)).toSorted(byPlace.compare)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const byPlace = new Intl.Collator('en', { numeric: true })

const compilerOptions = {
  target: 'es2023',
  lib: ['es2023'],
  module: 'nodenext',
  types: ['node'],
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  allowImportingTsExtensions: true,
}

function onPage(told: string, examples: readonly Example[]): string {
  const [, place = '', line, rest = ''] = /^(.*?)\((\d+),\d+\): (.*)$/s.exec(told) ?? []
  const example = examples.find(({ file }) => place.endsWith(file))
  return example === undefined ? told : `${example.page}:${example.lines[Number(line) - 1] ?? '?'} ${rest}`
}
