/** The names of stores in their order, as a DOMStringList. */
export class NameList implements Iterable<string> {
  readonly #names: ReadonlyArray<string>

  constructor(names: Iterable<string>) {
    this.#names = [...names].sort()
  }

  get length(): number {
    return this.#names.length
  }

  item(at: number): string | null {
    return this.#names[at] ?? null
  }

  contains(name: string): boolean {
    return this.#names.includes(name)
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#names[Symbol.iterator]()
  }
}
