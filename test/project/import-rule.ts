import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import { parseSync, Visitor, type Argument, type Expression } from 'oxc-parser'

/** One import of a source file: static or dynamic, of values or of types, by `import`, `export … from` or `require`. */
export interface Import {
  readonly line: number
  /** What is imported, or null where it is computed. */
  readonly specifier: string | null
}

/** The places that put the parts together. Everything else depends on `core/` and its own folder alone. */
const compositionRoots = new Set(['index.ts', 'sessions.ts', 'sealed.ts'])

/** Optional peers, each with the files that may load it. */
const peers = new Map([
  ['lmdb', /^stores\/disk\b/],
  ...['redis', 'mysql2/promise', 'pg', 'better-sqlite3', 'mongodb'].map((driver) => [driver, /^stores\/open\//] as const),
  ['devalue', /^codecs\/rich\b/],
])

export function importsOf(path: string, source: string): Import[] {
  const { program, errors } = parseSync(path, source)
  if (errors.length > 0) throw new SyntaxError(`${path}: ${errors.map(({ message }) => message).join('; ')}`)
  const found: Import[] = []
  const note = (node: Expression | Argument | undefined) => {
    const specifier = node?.type === 'Literal' && typeof node.value === 'string' ? node.value : null
    found.push({ line: source.slice(0, node?.start ?? 0).split('\n').length, specifier })
  }
  const requires = new Set(['require'])
  const isRequire = (node: Expression): boolean =>
    (node.type === 'Identifier' && requires.has(node.name)) ||
    (node.type === 'MemberExpression' && isRequire(node.object)) ||
    (node.type === 'CallExpression' && isCreateRequire(node))
  new Visitor({
    ImportDeclaration: ({ source: from }) => note(from),
    ExportAllDeclaration: ({ source: from }) => note(from),
    ExportNamedDeclaration: ({ source: from }) => void (from && note(from)),
    ImportExpression: ({ source: from }) => note(from),
    TSImportType: ({ source: from }) => note(from),
    TSExternalModuleReference: ({ expression }) => note(expression),
    VariableDeclarator({ id, init }) {
      if (id.type === 'Identifier' && init?.type === 'CallExpression' && isCreateRequire(init)) requires.add(id.name)
    },
    CallExpression({ callee, arguments: [first] }) {
      if (isRequire(callee)) note(first)
    },
  }).visit(program)
  return found
}

const isCreateRequire = ({ callee }: { callee: Expression }) => callee.type === 'Identifier' && callee.name === 'createRequire'

const folderOf = (path: string) => (path.includes('/') ? path.slice(0, path.indexOf('/')) : '')

/** Why a file (its path from `src`) may not import this; null if it may. */
function objection(path: string, specifier: string | null, files: ReadonlyMap<string, string>): string | null {
  if (specifier === null) return 'is computed: name the module'
  if (isBuiltin(specifier)) return specifier.startsWith('node:') ? null : `is Node's own: write node:${specifier}`
  if (!specifier.startsWith('.')) {
    const where = peers.get(specifier)
    if (where === undefined) return 'is a package, and the library has no dependencies: describe what you need of it structurally'
    return where.test(path) ? null : 'is an optional peer, loaded by its own subpath alone'
  }
  const target = posix.join(posix.dirname(path), specifier)
  if (!files.has(target)) return 'is no file of src (relative imports end in .ts)'
  const from = folderOf(path)
  const to = folderOf(target)
  if (from === 'testing' || from === 'cli' || compositionRoots.has(path) || to === 'core' || (from !== '' && from === to)) return null
  return from === 'core' ? 'points outward: core imports nothing but core' : 'points sideways or outward: imports point inward, to core'
}

/** Every import that breaks the rule, as `src/FILE:LINE imports 'X', which …`. The files are sources by their path from `src`. */
export function brokenImports(files: ReadonlyMap<string, string>): string[] {
  return [...files].flatMap(([path, source]) =>
    importsOf(path, source).flatMap(({ line, specifier }) => {
      const why = objection(path, specifier, files)
      return why === null ? [] : [`src/${path}:${line} imports ${specifier === null ? 'something that' : `'${specifier}', which`} ${why}`]
    }),
  )
}
