#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { SojournError } from '../core/errors.ts'
import { schema as mongodb } from '../stores/mongodb.ts'
import { schema as mysql } from '../stores/mysql.ts'
import { schema as postgres } from '../stores/postgres.ts'
import { schema as sqlite } from '../stores/sqlite.ts'

const usage = `Prints what creates a store's schema, for those who run their migrations themselves.

  sojourn schema postgres [--table NAME] [--schema NAME]
  sojourn schema mysql    [--table NAME]       MariaDB too
  sojourn schema sqlite   [--table NAME]
  sojourn schema mongodb  [--collection NAME]  for mongosh

Redis needs none; memory and disk make theirs.
`

/** The schema of a kind of store, for those of its options that are given. */
const schemas: Readonly<Record<string, { readonly takes: readonly string[]; readonly print: (options: Options) => string }>> = {
  postgres: { takes: ['table', 'schema'], print: postgres },
  mysql: { takes: ['table'], print: mysql },
  mariadb: { takes: ['table'], print: mysql },
  sqlite: { takes: ['table'], print: sqlite },
  mongodb: { takes: ['collection'], print: mongodb },
}

interface Options {
  readonly table?: string
  readonly schema?: string
  readonly collection?: string
}

/** What was asked for can't be done as it was asked. */
class UsageError extends Error {}

function schemaOf(kind: string, options: Options): string {
  const found = Object.hasOwn(schemas, kind) ? schemas[kind] : undefined
  if (found === undefined) throw new UsageError(`There is no schema of '${kind}', only of ${Object.keys(schemas).join(', ')}.`)
  const foreign = Object.keys(options).find((name) => !found.takes.includes(name))
  if (foreign !== undefined) throw new UsageError(`The schema of ${kind} has no --${foreign}.`)
  return found.print(options)
}

function answer(args: string[]): string {
  const option = { type: 'string' } as const
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { table: option, schema: option, collection: option, help: { type: 'boolean', short: 'h' } },
  })
  const { help = false, ...options } = values
  const [command, kind, ...rest] = positionals
  if (help || command === undefined) return usage
  if (command !== 'schema' || kind === undefined || rest.length > 0) throw new UsageError(`Not understood: ${args.join(' ')}`)
  return schemaOf(kind, options)
}

function isUsageError(error: unknown): error is Error {
  if (error instanceof UsageError || (error instanceof SojournError && error.code === 'ERR_SOJOURN_OPTION')) return true
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_')
}

try {
  process.stdout.write(answer(process.argv.slice(2)))
} catch (error) {
  if (!isUsageError(error)) throw error
  process.stderr.write(`${error.message}\n\n${usage}`)
  process.exitCode = 2
}
