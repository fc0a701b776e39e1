// The JavaScript of dist: the entries of package.json, and beside them the chunks that they share.
//
// Node takes half a millisecond or so to find and link one module, and `import 'sojourn'` used to be 88 of them. So dist has few
// files and not one for each of src; the types stay one for each, for only compilers read those. Nothing is minified: what a stack
// trace shows in node_modules is what was written, and the source maps lead to the sources.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { root } from './setup.mjs'

/**
 * The small files of src/core that many entries share, each in another company: esbuild makes a chunk of its own for each company,
 * so by itself it would make chunks of a few lines. All entries load these, hence they are one chunk.
 * test/project/bundle.test.ts counts what each entry loads.
 */
const shared = [
  'base64url',
  'call',
  'channel',
  'check-keys',
  'codec',
  'duration',
  'errors',
  'opener',
  'request',
  'routine',
  'size',
  'values',
]

/** @type {import('esbuild').Plugin} */
const oneSharedChunk = {
  name: 'one shared chunk',
  setup(esbuild) {
    esbuild.onResolve({ filter: /^sojourn:shared$/ }, () => ({ path: 'shared', namespace: 'sojourn', sideEffects: true }))
    esbuild.onLoad({ filter: /./, namespace: 'sojourn' }, () => ({
      contents: shared.map((name) => `import './src/core/${name}.ts'\n`).join(''),
      resolveDir: root,
    }))
    const paths = new Set(entries().map((entry) => join(root, entry)))
    esbuild.onLoad({ filter: /\.ts$/ }, ({ path }) =>
      // Behind the last line, so that the others keep their numbers in the source map.
      paths.has(path) ? { contents: `${readFileSync(path, 'utf8')}\nimport 'sojourn:shared'\n`, loader: 'ts' } : null,
    )
  },
}

/** @returns {string[]} the source of each file that package.json's `exports` and `bin` name */
function entries() {
  const { exports, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return [...Object.values(exports), ...Object.values(bin)]
    .filter((file) => file.startsWith('./dist/'))
    .map((file) => file.replace(/^\.\/dist\/(.*)\.js$/, 'src/$1.ts'))
}

/** @param {string} outdir a folder in the root: the source maps lead from there to src */
export async function bundle(outdir) {
  await build({
    absWorkingDir: root,
    entryPoints: entries(),
    outbase: 'src',
    outdir,
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    // What entries share is there once, or SojournError would be a class of its own in each of them.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    packages: 'external',
    sourcemap: true,
    // The package has src.
    sourcesContent: false,
    plugins: [oneSharedChunk],
    logLevel: 'silent',
  })
}
