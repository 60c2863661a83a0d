// Reads what a command is about: files, standard input, and the policy in them. What cannot be read is told
// on standard error and ends in trouble; what is not valid is an answer.
import { createReadStream } from 'node:fs'
import { compilePolicy } from '../policy/compile.ts'
import { parsePolicy } from '../policy/document.ts'
import { loadPolicy, type WholePolicy } from '../policy/loaded.ts'
import { describePath, type Path, type Problem } from '../policy/problems.ts'
import type { PolicyDocument } from '../policy/schema.ts'
import { catalogue } from './embedded.ts'
import { EXIT, type ExitCode, type Terminal } from './terminal.ts'

export const POLICY_FILE = 'postern.policy.yaml'
/** No policy and no list of principals is larger; a device that never ends is not read for ever. */
const INPUT_BYTES_MAX = 64 * 1024 * 1024

export type Read = { ok: true; text: string; file: string } | { ok: false; code: ExitCode }

/** A file, or for `-` standard input, as UTF-8. */
export async function readInput(terminal: Terminal, path: string): Promise<Read> {
  const file = path === '-' ? '<stdin>' : path
  const chunks: Buffer[] = []
  let bytes = 0
  if (path === '-' && terminal.stdin.isTTY) terminal.note('Reading standard input; end it with Ctrl-D.')
  try {
    for await (const chunk of path === '-' ? terminal.stdin : createReadStream(path)) {
      bytes += chunk.length
      if (bytes > INPUT_BYTES_MAX) return trouble(terminal, `${file} has more than ${INPUT_BYTES_MAX} bytes.`)
      chunks.push(chunk as Buffer)
    }
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
    return { ok: true, text, file }
  } catch (error) {
    return trouble(terminal, `${file} cannot be read: ${reasonOf(error as NodeJS.ErrnoException)}.`)
  }
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOENT':
      return 'there is no such file'
    case 'EISDIR':
      return 'it is a folder'
    case 'EACCES':
      return 'permission is denied'
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return 'it is not UTF-8 text'
    default:
      return message
  }
}

/** Tells why the command cannot do what it was asked to. */
export function trouble(terminal: Terminal, message: string): { ok: false; code: ExitCode } {
  terminal.note(`${terminal.paintNote('red', 'error:')} ${message}`)
  return { ok: false, code: EXIT.trouble }
}

export type Position = Pick<Problem, 'file' | 'line' | 'column'>

export interface OpenedPolicy {
  ok: true
  file: string
  document: PolicyDocument
  /** The roles of its own, beside the default catalogue's. */
  ownRoles: string[]
  policy: WholePolicy
  /** Where a path stands, as it is or as describePath writes it. */
  locate(path: Path | string): Position
  /** The same as `policy.yaml:12:5`. */
  positionOf(path: Path | string): string
}

/** Reads, checks and compiles a policy. A policy that is not valid is printed as the answer: no. */
export async function openPolicy(
  terminal: Terminal,
  path: string | Extract<Read, { ok: true }>,
  options: { json?: boolean },
): Promise<OpenedPolicy | { ok: false; code: ExitCode }> {
  const read = typeof path === 'string' ? await readInput(terminal, path) : path
  if (!read.ok) return read
  const { text, file } = read
  const parsed = parsePolicy(text, { file, catalogue })
  if (!parsed.ok) return { ok: false, code: printProblems(terminal, file, parsed.problems, options) }
  const policy = loadPolicy(compilePolicy(parsed.policy))
  const locate = (at: Path | string): Position => {
    const path = typeof at === 'string' ? pathOf(at) : at
    const { line, column } = parsed.locate({ path, message: '' })
    return { file, line, column }
  }
  const positionOf = (at: Path | string) => describePosition(locate(at))
  return { ok: true, file, document: parsed.policy, ownRoles: parsed.ownRoles, policy, locate, positionOf }
}

export function printProblems(
  terminal: Terminal,
  file: string,
  problems: readonly Problem[],
  { json }: { json?: boolean },
): ExitCode {
  if (json) {
    terminal.printJson({ valid: false, file, problems: problems.map(problemAsJson) })
    return EXIT.no
  }
  for (const { path, message, ...position } of problems) {
    const subject = path.length > 0 ? `${terminal.paint('bold', describePath(path))}: ` : ''
    terminal.print(`${describePosition(position)}: ${subject}${message}`)
  }
  const what = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  terminal.note(terminal.paintNote('red', `${file} is not a valid policy: ${what}.`))
  return EXIT.no
}

function problemAsJson({ path, ...problem }: Problem) {
  return { ...problem, path: describePath(path) }
}

export function describePosition({ file, line, column }: Position): string {
  return `${file}:${line}:${column}`
}

/** The path that describePath described: `organizations.acme.idpGroupMappings[0]`. */
function pathOf(described: string): (string | number)[] {
  return [...described.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, name]) => {
    return index === undefined ? (name as string) : Number(index)
  })
}
