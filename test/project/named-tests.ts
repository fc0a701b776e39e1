import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Page } from './markdown.ts'

const elsewhere = /\*\(to come\)\*|nothing to test/
const linkOrTitle = /\]\(([^)\s]+\.ts)\)|“([^”]+)”/g

/**
 * What is amiss with a page whose tables name, behind the link to a test file, words of a test's title in “quotation marks”: titles
 * that are not there, as `FILE:LINE …`, and lines of a table that name no test.
 */
export function missingTests(root: string, page: Page): string[] {
  return page.prose.flatMap((line, index) => {
    if (!isRow(page, index)) return []
    const where = `${page.path}:${index + 1}`
    let named = 0
    const missing = line.split(/(?<!\\)\|/).flatMap((cell) => {
      let file: string | null = null
      return [...cell.matchAll(linkOrTitle)].flatMap(([, link, title = '']) => {
        if (link !== undefined) file = link
        if (link !== undefined || file === null) return []
        named++
        const path = join(root, dirname(page.path), file)
        return existsSync(path) && readFileSync(path, 'utf8').includes(title) ? [] : [`${where} names “${title}”, which is not in ${file}`]
      })
    })
    return named > 0 || elsewhere.test(line) ? missing : [...missing, `${where} names no test`]
  })
}

/** Whether it is a line of a table's body. */
function isRow({ prose }: Page, index: number): boolean {
  return prose[index]!.startsWith('| ') && !prose[index]!.startsWith('| ---') && !prose[index + 1]?.startsWith('| ---')
}
