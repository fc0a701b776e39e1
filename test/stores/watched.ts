import type { ChangeListener } from '../../src/core/store.ts'
import { Counted } from '../core/store-over.ts'

/** Notes what the channel, on which a store tells of changes, says of itself. */
export class Watched extends Counted {
  readonly said: ('opened' | 'cut')[] = []
  /** Called after each. */
  onSaid = () => {}

  watchChanges(listener: ChangeListener): () => void {
    const say = (word: 'opened' | 'cut') => {
      this.said.push(word)
      listener[word]()
      this.onSaid()
    }
    return this.next.watchChanges!({ changed: (id) => listener.changed(id), opened: () => say('opened'), cut: () => say('cut') })
  }

  get isOpen(): boolean {
    return this.said.at(-1) === 'opened'
  }
}
