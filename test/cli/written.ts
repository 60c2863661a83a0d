// Writes a document as people might: any indentation, quotes, one line or many, comments anywhere. What it
// chooses comes from a list of numbers, so that fast-check can shrink it.

export interface Written {
  text: string
  comments: string[]
}

export function writeSomehow(value: object, choices: readonly number[]): Written {
  let position = 0
  const choose = (count: number) => (choices[position++ % choices.length] as number) % count
  const comments: string[] = []
  const comment = () => {
    comments.push(` comment ${comments.length}${choose(3) === 0 ? ': [a, {b} "c' : ''}`)
    return `#${comments.at(-1)}`
  }
  const spaces = (count: number) => ' '.repeat(count)
  const lines: string[] = []
  const put = (line: string) => {
    if (choose(8) === 0) lines.push('')
    for (let more = choose(12); more > 9; more--)
      lines.push(`${spaces(choose(3) === 0 ? choose(10) : line.search(/\S/))}${comment()}`)
    lines.push(choose(8) === 0 ? `${line}${spaces(1 + choose(3))}${comment()}` : line)
  }
  const scalar = (value: unknown) => {
    if (typeof value !== 'string') return String(value)
    const isPlain = /^[A-Za-z][A-Za-z0-9._/-]*$/.test(value) && !/^(?:true|false|null)$/i.test(value)
    if (isPlain && choose(3) > 0) return value
    return choose(2) === 0 || /[^ -~]/.test(value)
      ? JSON.stringify(value)
      : `'${value.replaceAll("'", "''")}'`
  }
  const key = (name: string) => (choose(6) === 0 ? JSON.stringify(name) : name)
  const inline = (value: unknown): string => {
    if (typeof value !== 'object' || value === null) return scalar(value)
    const gap = spaces(choose(2))
    const entries = Array.isArray(value)
      ? value.map(inline)
      : Object.entries(value).map(([name, member]) => `${key(name)}: ${inline(member)}`)
    const [open, close] = Array.isArray(value) ? '[]' : '{}'
    return `${open}${gap}${entries.join(`,${spaces(1 + choose(2))}`)}${gap}${close}`
  }
  const isInline = (value: unknown) => {
    return typeof value !== 'object' || value === null || Object.keys(value).length === 0 || choose(4) === 0
  }
  const block = (value: object, indent: number): void => {
    const names = Object.keys(value)
    const ordered = indent === 0 ? names.sort(() => choose(3) - 1) : names
    for (const name of ordered) {
      const member = (value as Record<string, unknown>)[name]
      const start = `${spaces(indent)}${Array.isArray(value) ? '-' : `${key(name)}:`}`
      if (isInline(member)) put(`${start} ${inline(member)}`)
      else {
        put(start)
        block(member as object, indent + 1 + choose(5))
      }
    }
  }
  block(value, 0)
  if (choose(3) === 0) lines.push(comment())
  return { text: `${lines.join('\n')}\n`, comments }
}
