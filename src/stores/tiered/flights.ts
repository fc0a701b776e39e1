/** A read or a put on its way to `next`. */
export interface Flight {
  /** The least version that its answer must have to be kept: what is older was replaced, or changed, while it was on its way. */
  floor: number
}

/** What is on its way, by the record that it concerns. */
export class Flights {
  readonly #flights = new Map<string, Set<Flight>>()

  begin(id: string): Flight {
    const flight = { floor: 0 }
    const flights = this.#flights.get(id)
    if (flights === undefined) this.#flights.set(id, new Set([flight]))
    else flights.add(flight)
    return flight
  }

  end(id: string, flight: Flight): void {
    const flights = this.#flights.get(id)
    flights?.delete(flight)
    if (flights?.size === 0) this.#flights.delete(id)
  }

  /** From now on what is on its way may be kept from this version on; Infinity: not at all. */
  atLeast(id: string, version: number): void {
    const flights = this.#flights.get(id)
    if (flights !== undefined) raise(flights, version)
  }

  allAtLeast(version: number): void {
    for (const flights of this.#flights.values()) raise(flights, version)
  }
}

function raise(flights: ReadonlySet<Flight>, version: number): void {
  for (const flight of flights) flight.floor = Math.max(flight.floor, version)
}
