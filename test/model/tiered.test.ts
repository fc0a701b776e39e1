/** The model-based test of model.test.ts over both modes of the tiered store: of one process, since another may be told late. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { Store } from '../../src/core/store.ts'
import { disk } from '../../src/stores/disk.ts'
import { memory } from '../../src/stores/memory.ts'
import { tiered } from '../../src/stores/tiered.ts'
import { suiteRan } from '../services/service.ts'
import { slow } from '../stores/variants.ts'
import { everyProgramHolds, parameters } from './run.ts'

const programs = 400

describe('whatever browsers do at once, every promise holds', { timeout: 300_000 }, () => {
  let raw: Store | undefined
  let folder: string | undefined
  afterEach(async () => {
    await raw?.close()
    if (folder !== undefined) await rm(folder, { recursive: true })
    raw = folder = undefined
  })

  const newFolder = async () => (folder = await mkdtemp(join(tmpdir(), 'sojourn-model-')))

  // One store for all programs: each has IDs of its own, and leaves nothing behind. Memory has room for three or four sessions.
  const tight = { mode: 'overflow', memory: { maxBytes: 5000 }, backup: 1 } as const

  test.each<[name: string, suite: string, open: () => Promise<Store>]>([
    ['a disk, that memory overflows to', 'tiered, overflow', async () => tiered({ ...tight, next: disk(await newFolder()) })],
    ['a store that answers later, that memory overflows to', 'tiered, overflow', async () => tiered({ ...tight, next: slow(memory()) })],
    ['a near-cache before a disk', 'tiered', async () => tiered({ next: disk(await newFolder()) })],
    ['a near-cache before a store that answers later', 'tiered', async () => tiered({ next: slow(memory()) })],
    [
      'a small near-cache that is always too old',
      'tiered',
      async () => tiered({ memory: { maxBytes: 2500 }, staleness: 1, next: slow(memory()) }),
    ],
  ])('over %s', async (_, suite, open) => {
    const store = await open()
    raw = store
    let ran = 0
    const property = everyProgramHolds(() => {
      ran++
      return { raw: store, scheduled: true, readsLater: true }
    })
    await fc.assert(property, parameters(programs))
    expect(ran).toBeGreaterThanOrEqual(programs)
    await suiteRan('model', suite)
  })
})
