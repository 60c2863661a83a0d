// A bounded cache in isolate memory. Entries live in two generations: what is used moves into the young one,
// and when that is full the old one is dropped. A hit costs one look-up and nothing is ever re-ordered.

export interface Memory<Value> {
  get(key: string): Value | undefined
  set(key: string, value: Value): void
}

/** `weightMax` bounds the sum of what `weigh` says of the entries, here in bytes. */
export function createMemory<Value>(options: {
  weightMax: number
  weigh(key: string, value: Value): number
}): Memory<Value> {
  let young = new Map<string, Value>()
  let old = new Map<string, Value>()
  let weight = 0
  const set = (key: string, value: Value) => {
    const added = options.weigh(key, value)
    weight += added
    if (weight > options.weightMax / 2) {
      old = young
      young = new Map()
      weight = added
    }
    young.set(key, value)
  }
  const get = (key: string) => {
    const known = young.get(key)
    if (known !== undefined) return known
    const before = old.get(key)
    if (before !== undefined) set(key, before)
    return before
  }
  return { get, set }
}
