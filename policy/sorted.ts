// Order that no locale and no member order changes, so that equal policies compile to equal bytes.

export function mapSorted<From, To>(
  members: Record<string, From>,
  transform: (name: string, value: From) => To,
): [string, To][] {
  return Object.keys(members)
    .sort()
    .map((name) => [name, transform(name, members[name] as From)])
}

/** Order of UTF-16 code units, so that no locale changes the bytes. */
export function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0
}
