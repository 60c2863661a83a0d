// How the policy suite says its figures, and the medians they are.

/** What of the benchmarks' report this suite needs. */
export interface Figures {
  heading(text: string): void
  figure(key: string, name: string, value: number, unit: string, digits?: number): void
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}
