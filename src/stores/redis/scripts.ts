import { createHash } from 'node:crypto'
import type { CallOptions } from '../../core/store.ts'
import type { Commands } from './client.ts'

/** A script that the server knows by its hash. */
export interface Script {
  readonly text: string
  readonly hash: string
}

/** Sends a script's hash; a server that does not know it (any more: it restarted, or is another node) is sent the script. */
export async function run(
  commands: Commands,
  { text, hash }: Script,
  keys: readonly string[],
  args: readonly string[],
  call?: CallOptions,
): Promise<unknown> {
  const rest = [String(keys.length), ...keys, ...args]
  try {
    return await commands.send(keys[0]!, ['EVALSHA', hash, ...rest], call)
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return await commands.send(keys[0]!, ['EVAL', text, ...rest], call)
  }
}

// The key lives a day longer than it must, so that it is not set anew with each write.
const keep = `
local function keep(key, ttl)
  if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ttl + 86400000) end
end`

const meta = `
local function meta(key, stored)
  return redis.call('GETRANGE', key, 73, 72 + tonumber(string.sub(stored, 66, 73)))
end`

/**
 * Keys: record, expiry index. Arguments: version expected ('' for none), value, expiry, ID, ttl, user, whether that user's
 * index has the record ('1') or not, whether this ends the session ('1').
 *
 * @returns '-' if another version stands there; '?' if the index must be written first, since the user changes or the expiry
 *   grows; '+' with the user before, where another is now, once it landed
 */
export const put = script(`${keep}${meta}
local stored = redis.call('GETRANGE', KEYS[1], 0, 73 + #ARGV[6])
if string.sub(stored, 2, 17) ~= ARGV[1] then return '-' end
local before = ''
if stored ~= '' and ARGV[7] ~= '1' and ARGV[6] ~= 'null' and tonumber(ARGV[3]) > tonumber(string.sub(stored, 18, 33)) then return '?' end
if stored ~= '' and string.sub(stored, 74) ~= ARGV[6] .. '\\n' then
  if ARGV[7] ~= '1' then return '?' end
  before = string.match(meta(KEYS[1], stored), '^[^\\n]*')
end
-- A server that is full refuses the first write of a script if it takes room: so what ends a session begins with another.
if ARGV[8] == '1' and stored ~= '' then redis.call('PERSIST', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[5])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[4])
keep(KEYS[2], tonumber(ARGV[5]))
return '+' .. before`)

/** Keys: record, expiry index. Arguments: version, lastSeenAt, expiresAt, ID, both times as the record has them, ttl. */
export const touch = script(`${keep}
local stored = redis.call('GETRANGE', KEYS[1], 0, 32)
if string.sub(stored, 2, 17) ~= ARGV[1] then return end
local expires = tonumber(string.sub(stored, 18, 33))
if expires <= tonumber(ARGV[2]) or expires >= tonumber(ARGV[3]) then return end
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('SETRANGE', KEYS[1], 17, ARGV[5])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[4])
keep(KEYS[2], tonumber(ARGV[6]))`)

/** Keys: record, expiry index. Argument: ID. @returns '-' if there was none, '+' with its user */
export const remove = script(`${meta}
local stored = redis.call('GETRANGE', KEYS[1], 0, 72)
redis.call('ZREM', KEYS[2], ARGV[1])
if stored == '' then return '-' end
local user = string.match(meta(KEYS[1], stored), '^[^\\n]*')
redis.call('DEL', KEYS[1])
return '+' .. user`)

/** Keys: expiry index, records. Arguments: now, their IDs. @returns ID, user and head of each that was removed, in turn */
export const sweep = script(`${meta}
local removed = {}
for index = 2, #KEYS do
  local key, id = KEYS[index], ARGV[index]
  local stored = redis.call('GETRANGE', key, 0, 72)
  if stored == '' then
    redis.call('ZREM', KEYS[1], id)
  elseif tonumber(string.sub(stored, 18, 33)) <= tonumber(ARGV[1]) then
    removed[#removed + 1] = id
    removed[#removed + 1] = meta(key, stored)
    redis.call('DEL', key)
    redis.call('ZREM', KEYS[1], id)
  end
end
return removed`)

/** Key: user index. Arguments: ID, expiry, the expiry up to which entries go, ttl. An entry's expiry never goes back. */
export const index = script(`${keep}
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
keep(KEYS[1], tonumber(ARGV[4]))`)

function script(text: string): Script {
  const trimmed = text.trim()
  return { text: trimmed, hash: createHash('sha1').update(trimmed).digest('hex') }
}
