import { describe, expect, it } from 'vitest'
import { isGone, SojournError, type SojournErrorCode } from '../../src/core/errors.ts'

const statuses: Record<SojournErrorCode, number> = {
  ERR_SOJOURN_OPTION: 500,
  ERR_SOJOURN_NO_SESSION: 500,
  ERR_SOJOURN_CLOSED: 503,
  ERR_SOJOURN_ENDED: 409,
  ERR_SOJOURN_MOVED: 409,
  ERR_SOJOURN_LOGIN_REFUSED: 403,
  ERR_SOJOURN_CROSS_ORIGIN: 403,
  ERR_SOJOURN_CSRF_TOKEN: 403,
  ERR_SOJOURN_LOGIN_REQUIRED: 401,
  ERR_SOJOURN_CONTENTION: 503,
  ERR_SOJOURN_STORE: 503,
  ERR_SOJOURN_STORE_FULL: 503,
  ERR_SOJOURN_STORE_FORMAT: 500,
  ERR_SOJOURN_STORE_OWNED: 503,
  ERR_SOJOURN_UNKNOWN_OUTCOME: 503,
  ERR_SOJOURN_DATA_UNENCODABLE: 500,
  ERR_SOJOURN_DATA_INVALID: 500,
  ERR_SOJOURN_DATA_TOO_LARGE: 500,
  ERR_SOJOURN_DATA_UNREADABLE: 500,
  ERR_SOJOURN_DATA_NEWER: 503,
  ERR_SOJOURN_SCHEMA_ASYNC: 500,
  ERR_SOJOURN_UPDATE_ASYNC: 500,
  ERR_SOJOURN_LATE_CHANGE: 500,
  ERR_SOJOURN_INSECURE_COOKIE: 500,
  ERR_SOJOURN_KEY_UNKNOWN: 500,
  ERR_SOJOURN_RECORD_TAMPERED: 500,
  ERR_SOJOURN_CLOCK: 500,
  ERR_SOJOURN_CALLBACK: 500,
  ERR_SOJOURN_LISTENER: 500,
}

const codes = Object.entries(statuses) as [SojournErrorCode, number][]

describe('an error', () => {
  it.each(codes)('%s has the status %i, which Express answers', (code, status) => {
    const cause = new Error('why')
    const error = new SojournError(code, 'What happened.', { cause })
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ name: 'SojournError', code, status, message: 'What happened.', cause })
    expect(String(error)).toBe('SojournError: What happened.')
  })

  it('asks to try again, in a header, where that helps', () => {
    for (const [code, status] of codes) {
      expect(new SojournError(code, '').headers).toEqual(status === 503 ? { 'Retry-After': '1' } : {})
    }
  })

  it('tells whether the session is gone', () => {
    expect(codes.filter(([code]) => isGone(new SojournError(code, ''))).map(([code]) => code)).toEqual([
      'ERR_SOJOURN_ENDED',
      'ERR_SOJOURN_MOVED',
    ])
    expect([isGone(new Error('ended')), isGone(null), isGone({ code: 'ERR_SOJOURN_ENDED' })]).toEqual([false, false, false])
  })
})
