import { readFileSync } from 'node:fs'

export interface User {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** Options of a child process that is to run as that user. */
export const identityOf = (user: User | null) => (user === null ? {} : { uid: user.uid, gid: user.gid })

/** An unprivileged user for the servers that refuse to run as root, if this process is root. */
export function userOf(): User | null {
  if (process.getuid?.() !== 0) return null
  const line = /^(nobody):[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'))
  if (line === null) throw new Error('This process is root, which PostgreSQL and MariaDB refuse to run as, and there is no user `nobody`.')
  return { name: line[1]!, uid: Number(line[2]), gid: Number(line[3]) }
}
