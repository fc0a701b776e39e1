import type { Store } from '../../core/store.ts'
import { mongodb } from '../mongodb.ts'
import { connectLimit, driver, ready } from './driver.ts'
import { reading, takeParameter } from './url.ts'

const form = 'mongodb://user:password@host:27017/database?collection=sessions'

export async function openMongodb(text: string): Promise<Store> {
  const { MongoClient } = await driver('mongodb', () => import('mongodb'))
  const { url, value: collection } = takeParameter(text, 'collection')
  const database = reading(form, () => decodeURIComponent(/^[^:]+:\/\/[^/?]*\/([^?]+)/.exec(url)?.[1] ?? 'sojourn'))
  // What the URL itself says of them counts.
  const limits = Object.entries({ serverSelectionTimeoutMS: connectLimit, waitQueueTimeoutMS: connectLimit, connectTimeoutMS: 5000 })
  const options = Object.fromEntries(limits.filter(([name]) => !url.toLowerCase().includes(`${name.toLowerCase()}=`)))
  const { client, db } = reading(form, () => {
    const made = new MongoClient(url, options)
    return { client: made, db: made.db(database) }
  })
  const store = mongodb(db, collection === undefined ? {} : { collection }, () => client.close())
  return await ready(store, () => store.createSchema())
}
