// Counts what a store is asked, so that a row can tell what requests cost it.

/** @type {Record<string, number>} how often each verb was called */
const counts = {}

/**
 * The same store, counted.
 *
 * @template {object} T
 * @param {T} store of sojourn, or of express-session
 * @param {readonly string[]} verbs
 * @returns {T}
 */
export function counted(store, verbs) {
  for (const verb of verbs) {
    const original = store[verb]
    counts[verb] = 0
    store[verb] = function (...args) {
      counts[verb] += 1
      return original.apply(this, args)
    }
  }
  return store
}

process.on('message', (message) => {
  if (message === 'counts') process.send?.(counts)
})
