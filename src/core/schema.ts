import { SojournError } from './errors.ts'
import { formatPath } from './values.ts'

/**
 * Any library that follows Standard Schema (https://standardschema.dev): zod, valibot, arktype and others.
 * The part of the specification's interface that is used here.
 */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
  }
}

export type SchemaResult<Output> = { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] }

interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/**
 * Validates.
 *
 * @returns the schema's own output, with its defaults
 * @throws ERR_SOJOURN_DATA_INVALID naming the first path; ERR_SOJOURN_SCHEMA_ASYNC for a schema that answers later
 */
export function validate<Output>(schema: StandardSchema<Output>, value: unknown): Output {
  const result = schema['~standard'].validate(value)
  if (result instanceof Promise) {
    result.catch(() => {}) // The promise is not waited for; its rejection must not end the process.
    throw new SojournError(
      'ERR_SOJOURN_SCHEMA_ASYNC',
      'The session schema validates asynchronously, but session data is read at once; use a schema without asynchronous checks.',
    )
  }
  if (result.issues === undefined) return result.value
  const issue = result.issues[0]
  const path = (issue?.path ?? []).map((step) => (typeof step === 'object' ? step.key : step))
  const where = formatPath(path.map((step) => (typeof step === 'symbol' ? String(step) : step)))
  throw new SojournError(
    'ERR_SOJOURN_DATA_INVALID',
    `Session data does not fit the schema${where === '' ? '' : ` at ${where}`}: ${issue?.message ?? 'no reason given'}.`,
  )
}
