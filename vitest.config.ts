import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // All cores: by itself vitest leaves one free, on two cores half of them, and much of a test is waiting.
    maxWorkers: availableParallelism(),
    globalSetup: ['test/services/broker.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
