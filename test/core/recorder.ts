import { type EventName, eventNames, type SessionEvents } from '../../src/core/events.ts'
import type { Sessions } from '../../src/core/sessions.ts'

/** Listens to all that a manager tells. */
export class Recorder {
  readonly all: { readonly name: EventName; readonly event: SessionEvents[EventName] }[] = []

  constructor(sessions: Pick<Sessions<object>, 'on'>) {
    for (const name of eventNames) sessions.on(name, (event) => this.all.push({ name, event }))
  }

  of<Name extends EventName>(name: Name): SessionEvents[Name][] {
    return this.all.filter((told) => told.name === name).map(({ event }) => event as SessionEvents[Name])
  }

  get errors(): string[] {
    return this.of('error').map(({ error }) => error.code)
  }

  get conflicts(): (readonly string[])[] {
    return this.of('conflict').map(({ paths }) => paths)
  }
}
