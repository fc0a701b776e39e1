// A fresh process: how long Node takes for those of its own modules that `import 'sojourn'` needs, and V8 to compile the files of
// dist, none of which runs. Started with --experimental-vm-modules.
import { readFileSync } from 'node:fs'
import { SourceTextModule } from 'node:vm'

/** @type {Map<string, string>} */
const texts = new Map()
/** @type {Set<string>} */
const builtins = new Set()

function read(/** @type {URL} */ file) {
  if (texts.has(file.href)) return
  const text = readFileSync(file, 'utf8')
  texts.set(file.href, text)
  for (const [, from = ''] of text.matchAll(/^(?:import|export|\}) ?(?:[^'"]*? from )?"([^"]+)";$/gm)) {
    if (from.startsWith('node:')) builtins.add(from)
    else if (from.startsWith('.')) read(new URL(from, file))
  }
}

read(new URL('../../dist/index.js', import.meta.url))
const began = performance.now()
for (const name of builtins) await import(name)
const imported = performance.now()
const compiled = Array.from(texts, ([identifier, text]) => new SourceTextModule(text, { identifier }))
console.log(JSON.stringify({ start: performance.now() - began, import: imported - began, files: compiled.length, builtins: builtins.size }))
