// A bounded cache in isolate memory. Entries live in two generations: what is used moves into the young one,
// and when that is full the old one is dropped. A hit costs one look-up and nothing is ever re-ordered.

export class Memory<Value> {
  #young = new Map<string, Value>()
  #old = new Map<string, Value>()
  #weight = 0
  readonly #generationWeightMax: number
  readonly #weigh: (key: string, value: Value) => number

  /** `weightMax` bounds the sum of what `weigh` says of the entries, here in bytes. */
  constructor(options: { weightMax: number; weigh: (key: string, value: Value) => number }) {
    this.#generationWeightMax = options.weightMax / 2
    this.#weigh = options.weigh
  }

  get(key: string): Value | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: string, value: Value): void {
    this.#weight += this.#weigh(key, value)
    if (this.#weight > this.#generationWeightMax) {
      this.#old = this.#young
      this.#young = new Map()
      this.#weight = this.#weigh(key, value)
    }
    this.#young.set(key, value)
  }

  delete(key: string): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }
}
