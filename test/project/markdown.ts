import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

/** A fenced block of code. */
export interface Fence {
  readonly language: string
  /** What follows the language on the fence's line. */
  readonly words: readonly string[]
  /** The line, counted from 1, of the block's first line of code. */
  readonly line: number
  readonly code: readonly string[]
}

export interface Page {
  readonly path: string
  readonly fences: readonly Fence[]
  /** The page's lines, those of fenced code left empty. */
  readonly prose: readonly string[]
}

export function parsePage(path: string, text: string): Page {
  const fences: Fence[] = []
  const prose: string[] = []
  let open: { fence: Fence & { code: string[] }; indent: number; mark: string } | null = null
  for (const [index, line] of text.split('\n').entries()) {
    const [, indent = '', mark, info = ''] = /^( *)(`{3,}|~{3,})\s*(.*)$/.exec(line) ?? []
    if (open !== null) {
      if (mark?.startsWith(open.mark) && info === '') open = null
      else open.fence.code.push(line.slice(Math.min(open.indent, line.length - line.trimStart().length)))
    } else if (mark !== undefined) {
      const [language = '', ...words] = info.split(/\s+/).filter(Boolean)
      open = { fence: { language, words, line: index + 2, code: [] }, indent: indent.length, mark }
      fences.push(open.fence)
    }
    prose.push(open !== null || mark !== undefined ? '' : line)
  }
  return { path, fences, prose }
}

/** The documentation: every Markdown file at the root, in docs/ and in examples/. */
export function readPages(root: string): Page[] {
  const under = (folder: string) =>
    existsSync(join(root, folder))
      ? readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))
      : []
  return [...readdirSync(root), ...under('docs'), ...under('examples')]
    .filter((name) => name.endsWith('.md') && !name.includes('node_modules'))
    .map((name) => parsePage(name, readFileSync(join(root, name), 'utf8')))
}

/** The name that a heading's link has on GitHub. */
const anchorOf = (heading: string) =>
  heading
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .toLowerCase()
    .replaceAll(/\s/g, '-')

const anchorsOf = (page: Page) => page.prose.flatMap((line) => /^#{1,6}\s+(.*)$/.exec(line)?.[1] ?? []).map(anchorOf)

/** Why a link of a page leads nowhere; null if it leads somewhere, or out into the web. */
function objection(root: string, page: Page, target: string, pages: readonly Page[]): string | null {
  if (/^[a-z]+:/i.test(target)) return null
  const [file = '', anchor] = target.split('#')
  const path = file === '' ? resolve(root, page.path) : resolve(root, dirname(page.path), decodeURI(file))
  if (relative(root, path).startsWith('..')) return 'which is outside the repository'
  const linked = [page, ...pages].find((other) => resolve(root, other.path) === path)
  if (linked === undefined && !existsSync(path)) return 'which is not there'
  if (anchor === undefined || linked === undefined) return null
  return anchorsOf(linked).includes(anchor) ? null : 'and no heading there has that name'
}

const link = /\]\(\s*<?([^()\s>]+)>?[^)]*\)|^\s*\[[^\]]+\]:\s*(\S+)|\b(?:src|href)="([^"]+)"/g

/** Every link within the repository that leads nowhere, as `FILE:LINE links to TARGET, …`. */
export function brokenLinks(root: string, pages: readonly Page[]): string[] {
  return pages.flatMap((page) =>
    page.prose.flatMap((line, index) =>
      [...line.replaceAll(/`[^`]*`/g, '').matchAll(link)].flatMap((match) => {
        const target = match[1] ?? match[2] ?? match[3] ?? ''
        const why = objection(root, page, target, pages)
        return why === null ? [] : [`${page.path}:${index + 1} links to ${target}, ${why}`]
      }),
    ),
  )
}
