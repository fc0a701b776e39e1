/** Every code that sojourn throws or reports. They are stable: docs/errors.md tells of each. */
export type SojournErrorCode =
  | 'ERR_SOJOURN_OPTION'
  | 'ERR_SOJOURN_NO_SESSION'
  | 'ERR_SOJOURN_CLOSED'
  | 'ERR_SOJOURN_ENDED'
  | 'ERR_SOJOURN_MOVED'
  | 'ERR_SOJOURN_LOGIN_REFUSED'
  | 'ERR_SOJOURN_CROSS_ORIGIN'
  | 'ERR_SOJOURN_CSRF_TOKEN'
  | 'ERR_SOJOURN_LOGIN_REQUIRED'
  | 'ERR_SOJOURN_CONTENTION'
  | 'ERR_SOJOURN_STORE'
  | 'ERR_SOJOURN_STORE_FULL'
  | 'ERR_SOJOURN_STORE_FORMAT'
  | 'ERR_SOJOURN_STORE_OWNED'
  | 'ERR_SOJOURN_UNKNOWN_OUTCOME'
  | 'ERR_SOJOURN_DATA_UNENCODABLE'
  | 'ERR_SOJOURN_DATA_INVALID'
  | 'ERR_SOJOURN_DATA_TOO_LARGE'
  | 'ERR_SOJOURN_DATA_UNREADABLE'
  | 'ERR_SOJOURN_DATA_NEWER'
  | 'ERR_SOJOURN_SCHEMA_ASYNC'
  | 'ERR_SOJOURN_UPDATE_ASYNC'
  | 'ERR_SOJOURN_LATE_CHANGE'
  | 'ERR_SOJOURN_INSECURE_COOKIE'
  | 'ERR_SOJOURN_KEY_UNKNOWN'
  | 'ERR_SOJOURN_RECORD_TAMPERED'
  | 'ERR_SOJOURN_CLOCK'
  | 'ERR_SOJOURN_CALLBACK'
  | 'ERR_SOJOURN_LISTENER'

/** The HTTP status that the adapters answer for a code: 500 (the application's own mistake) where none is named. */
const statusOf: Partial<Record<SojournErrorCode, number>> = {
  ERR_SOJOURN_ENDED: 409,
  ERR_SOJOURN_MOVED: 409,
  ERR_SOJOURN_LOGIN_REFUSED: 403,
  ERR_SOJOURN_CROSS_ORIGIN: 403,
  ERR_SOJOURN_CSRF_TOKEN: 403,
  ERR_SOJOURN_LOGIN_REQUIRED: 401,
  ERR_SOJOURN_CONTENTION: 503,
  ERR_SOJOURN_STORE: 503,
  ERR_SOJOURN_STORE_FULL: 503,
  ERR_SOJOURN_STORE_OWNED: 503,
  ERR_SOJOURN_UNKNOWN_OUTCOME: 503,
  ERR_SOJOURN_DATA_NEWER: 503,
  ERR_SOJOURN_CLOSED: 503,
}

/** The one class of error. The message says what happened, where, and the mend; it never holds a secret. */
export class SojournError extends Error {
  override readonly name = 'SojournError'
  readonly code: SojournErrorCode
  /** The HTTP status that fits, which Express and the adapters answer. */
  readonly status: number

  /** Headers that go with the answer; Express and the adapters set them. */
  get headers(): Record<string, string> {
    return this.status === 503 ? { 'Retry-After': '1' } : {}
  }

  constructor(code: SojournErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.status = statusOf[code] ?? 500
  }
}

/** True for a session that ended, or moved to another ID at a login, while a request had it open. */
export function isGone(error: unknown): error is SojournError {
  return error instanceof SojournError && (error.code === 'ERR_SOJOURN_ENDED' || error.code === 'ERR_SOJOURN_MOVED')
}
