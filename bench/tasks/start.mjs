// A fresh process: how long the import and createSessions() take, and, with a folder, the first read from it.
const began = performance.now()
const { createSessions } = await import('../../dist/index.js')
const imported = performance.now()
if (process.argv[2] === undefined) {
  const sessions = createSessions()
  const started = performance.now()
  const others = createSessions()
  console.log(JSON.stringify({ import: imported - began, start: started - began, again: performance.now() - started }))
  await sessions.close()
  await others.close()
} else {
  const { disk } = await import('../../dist/stores/disk.js')
  const store = disk(process.argv[2], { maxBytes: '64 GB' })
  const sessions = createSessions({ store })
  await store.get('AAAAAAAAAAAAAAAA')
  console.log(JSON.stringify({ import: imported - began, start: performance.now() - began }))
  await sessions.close()
}
