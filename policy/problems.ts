// What is wrong with a policy document, where, and what would be right.

/** Steps from the document's root to a value: member names and list positions. */
export type Path = readonly (string | number)[]

export interface Fault {
  path: Path
  message: string
}

export interface Problem extends Fault {
  file: string
  /** Both count from 1. */
  line: number
  column: number
}

/** `organizations.acme.idpGroupMappings[0]` */
export function describePath(path: Path): string {
  return path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`))
    .join('')
}

/** A line for each: `policy.yaml:12:5: routes.api.upstream: must be an origin`. */
export function describeProblems(problems: readonly Problem[]): string {
  return problems
    .map(({ file, line, column, path, message }) => {
      return `${file}:${line}:${column}: ${path.length > 0 ? `${describePath(path)}: ` : ''}${message}`
    })
    .join('\n')
}
