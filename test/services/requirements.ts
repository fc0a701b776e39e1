import { execFileSync } from 'node:child_process'
import { installDebianPackages } from '../../scripts/setup.mjs'
import { findProgram } from './programs.ts'

interface Requirement {
  /** Debian's packages. */
  readonly packages: readonly string[]
  /** What to install elsewhere. */
  readonly name: string
  /** The variable that names a server which is there already. */
  readonly variable: string
  readonly isGoodEnough?: (program: string) => boolean
}

const mariadb = { packages: ['mariadb-server-core', 'mariadb-client-core'], name: 'MariaDB 10.6 or newer', variable: 'MYSQL_URL' }

const requirements = {
  'redis-server': { packages: ['redis-server'], name: 'Redis 7 or newer', variable: 'REDIS_URL and REDIS_CLUSTER_URL' },
  postgres: { packages: ['postgresql'], name: 'PostgreSQL 13 or newer', variable: 'POSTGRES_URL' },
  mariadbd: mariadb,
  'mariadb-install-db': mariadb,
  my_print_defaults: mariadb, // mariadb-install-db calls it.
  go: {
    packages: ['golang'],
    name: "Go 1.24 or newer (it builds FerretDB, a server of MongoDB's protocol) or mongod",
    variable: 'MONGODB_URL',
    isGoodEnough: isGoNewEnough,
  },
  javac: {
    packages: ['default-jdk-headless'],
    name: "a JDK 11 or newer (for mongo-java-server, a server of MongoDB's protocol) or mongod",
    variable: 'MONGODB_URL',
  },
  mvn: {
    packages: ['default-jdk-headless', 'maven'],
    name: "Maven 3.8 or newer (for mongo-java-server, a server of MongoDB's protocol) or mongod",
    variable: 'MONGODB_URL',
  },
} satisfies Record<string, Requirement>

export type RequiredProgram = keyof typeof requirements

/** @returns where the program is, once it is installed if need be */
export async function programOf(name: RequiredProgram): Promise<string> {
  const requirement: Requirement = requirements[name]
  const find = () => {
    const found = findProgram(name)
    return found !== null && (requirement.isGoodEnough?.(found) ?? true) ? found : null
  }
  const otherwise =
    `The tests need ${requirement.name}, and \`${name}\` is not on the PATH, or too old: install it, ` +
    `or name a server that is there in ${requirement.variable} (compose.yaml starts them all).`
  const found = find()
  if (found !== null) return found
  const problem = await installDebianPackages(requirement.packages, 'which the tests of the stores need', otherwise)
  const installed = find()
  if (installed === null) throw new Error(problem ?? otherwise)
  return installed
}

function isGoNewEnough(go: string): boolean {
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(execFileSync(go, ['version'], { encoding: 'utf8' })) ?? []
  return Number(major) > 1 || Number(minor) >= 24
}
