import { afterAll, beforeAll, describe } from 'vitest'
import { redis } from '../../src/stores/redis.ts'
import { shared, startTimeout, type SharedService } from '../services/service.ts'
import { keepsTheContract } from './contract.ts'
import { clusters, type Opened } from './redis-clients.ts'

let server: SharedService
beforeAll(async () => {
  server = await shared('redis-cluster')
}, startTimeout)

let prefixes = 0

describe.each(Object.entries(clusters))('the store: redis by %s', (_, open) => {
  let opened: Opened
  beforeAll(async () => {
    opened = await open(server.url)
  })
  afterAll(() => opened.close())

  keepsTheContract(
    'redis-cluster',
    () => redis(opened.client, { prefix: `${server.name}:${prefixes++}:` }),
    ({ name }) => redis(opened.client, { prefix: name.replace('redis:', '') }),
  )
})
