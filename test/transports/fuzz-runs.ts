/** How many inputs a fuzz test tries: FUZZ_RUNS for a long hunt. */
export const fuzzRuns = Number(process.env.FUZZ_RUNS ?? 3000)
/** A long hunt takes as long as it takes. */
export const fuzzTime = Math.max(30_000, fuzzRuns)
