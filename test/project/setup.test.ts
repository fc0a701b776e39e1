import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checkNode, hasDependencies, isBuilt, missingDriver } from '../../scripts/setup.mjs'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sojourn-setup-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function write(file: string, content: object | string, second = 0) {
  const path = join(folder, file)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  utimesSync(path, second, second)
}

describe('dependencies are installed again', () => {
  const express = { version: '5.3.0', integrity: 'sha512-a' }
  const native = { version: '1.0.0', optional: true, os: [process.platform], cpu: [process.arch] }
  const foreign = { version: '1.0.0', optional: true, os: ['other'], cpu: ['other'] }
  const wanted = {
    packages: {
      '': {},
      'node_modules/express': express,
      'node_modules/native': native,
      'node_modules/foreign': foreign,
      'examples/shop': {},
    },
  }
  beforeEach(() => {
    write('package-lock.json', wanted)
    write('node_modules/express/package.json', {})
    write('node_modules/native/package.json', {})
    write('node_modules/.package-lock.json', { packages: { 'node_modules/express': express, 'node_modules/native': native } })
  })

  test('not while all is there, however new the lock file', () => {
    write('package-lock.json', wanted, 4_000_000_000)
    expect(hasDependencies(folder)).toBe(true)
  })
  test('when npm was broken off', () => {
    rmSync(join(folder, 'node_modules/.package-lock.json'))
    expect(hasDependencies(folder)).toBe(false)
  })
  test.each(['express', 'native'])('when the folder of a package is gone: %s', (name) => {
    rmSync(join(folder, 'node_modules', name), { recursive: true })
    expect(hasDependencies(folder)).toBe(false)
  })
  test('when the lock file names another version', () => {
    write('package-lock.json', { packages: { ...wanted.packages, 'node_modules/express': { ...express, version: '5.4.0' } } })
    expect(hasDependencies(folder)).toBe(false)
  })
  test('when the lock file names one more package', () => {
    write('package-lock.json', { packages: { ...wanted.packages, 'node_modules/more': { version: '1.0.0' } } })
    expect(hasDependencies(folder)).toBe(false)
  })
})

describe('a build is made', () => {
  beforeEach(() => {
    write('src/core/token.ts', '', 100)
    write('src/core/gone.ts', '', 100)
    for (const name of ['tsconfig.json', 'package.json', 'scripts/bundle.mjs']) write(name, {}, 100)
    write('dist/index.js', '', 200)
    for (const [name, second] of [['src/core', 100] as const, ['src', 100] as const, ['dist', 200] as const])
      utimesSync(join(folder, name), second, second)
  })

  test('not while dist is newer than everything it is made of', () => expect(isBuilt(folder)).toBe(true))
  test('where there is none', () => {
    rmSync(join(folder, 'dist'), { recursive: true })
    expect(isBuilt(folder)).toBe(false)
  })
  test.each(['src/core/token.ts', 'tsconfig.json', 'package.json', 'scripts/bundle.mjs'])('when %s was changed', (file) => {
    write(file, '{}', 300)
    expect(isBuilt(folder)).toBe(false)
  })
  test('when a file was removed', () => {
    rmSync(join(folder, 'src/core/gone.ts'))
    expect(isBuilt(folder)).toBe(false)
  })
})

describe('the version of Node', () => {
  test.each(['20.19.0', '20.20.2', '22.0.0', '26.1.0'])('%s will do', (version) => expect(() => checkNode(version)).not.toThrow())
  test.each(['8.17.0', '18.20.8', '20.9.0', '20.18.3'])('%s is too old, which is told with the mend', (version) => {
    expect(() => checkNode(version)).toThrow(`sojourn needs Node 20.19 or newer, and this is Node ${version}: install a newer one`)
  })
})

describe('the driver that SESSION_STORE needs', () => {
  test.each([
    ['redis://ada:secret@host', 'redis'],
    ['rediss+cluster://a,b', 'redis'],
    ['mariadb://host/shop', 'mysql2'],
    ['PostgreSQL://host/shop', 'pg'],
    ['mongodb+srv://host', 'mongodb'],
    // Newer versions of Node have SQLite built in.
    ...(process.getBuiltinModule?.('node:sqlite') === undefined ? [['sqlite:./a.db', 'better-sqlite3']] : []),
  ])('is missing until it is installed: %s', (url, driver) => {
    expect(missingDriver(url, folder)).toBe(driver)
    write(`node_modules/${driver}/package.json`, {})
    expect(missingDriver(url, folder)).toBeNull()
  })

  test.each([undefined, '', 'memory:', 'disk:./redis:', 'constructor:', 'no scheme'])('is none for %j', (url) => {
    expect(missingDriver(url, folder)).toBeNull()
  })
})
