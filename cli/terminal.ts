// What a command sees of the process it runs in: where answers and messages go, and whether in colour. An
// answer goes to standard output, everything about the run itself to standard error.
import { createInterface } from 'node:readline/promises'
import type { ReadStream } from 'node:tty'

/** How every command ends; continuous integration reads it. */
export const EXIT = { fine: 0, no: 1, trouble: 2 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export type Colour = 'red' | 'green' | 'yellow' | 'bold' | 'dim'
const CODES: Record<Colour, number> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 }

export interface Terminal {
  /** The answer, with a line's end. */
  print(text: string): void
  /** The answer as one JSON value. */
  printJson(value: unknown): void
  /** The answer, byte for byte. */
  write(text: string): void
  /** Something about the run. */
  note(text: string): void
  /** Colours what is printed; text as it is when standard output is no terminal. */
  paint(colour: Colour, text: string): string
  /** Colours what is noted. */
  paintNote(colour: Colour, text: string): string
  stdin: AsyncIterable<Buffer> & Partial<Pick<ReadStream, 'isTTY'>>
  /** How far the run is: one line that the next one replaces; nothing where nobody watches. Null: it is over. */
  progress(text: string | null): void
  /** Yes or no; null where there is nobody to ask. */
  ask(question: string): Promise<boolean | null>
  env: NodeJS.ProcessEnv
}

export function createTerminal({ stdin, stdout, stderr, env }: NodeJS.Process): Terminal {
  for (const stream of [stdout, stderr]) {
    // The reader of a pipe (`| head`) may stop before we do.
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
  }
  return {
    print: (text) => stdout.write(`${text}\n`),
    printJson: (value) => stdout.write(`${JSON.stringify(value, null, 2)}\n`),
    write: (text) => stdout.write(text),
    note: (text) => stderr.write(`${text}\n`),
    paint: painter(stdout, env),
    paintNote: painter(stderr, env),
    stdin,
    progress: (text) => {
      if (stderr.isTTY && env.TERM !== 'dumb') stderr.write(`\r\u001b[K${text ?? ''}`)
    },
    ask: async (question) => {
      if (!stdin.isTTY) return null
      const lines = createInterface({ input: stdin, output: stderr })
      const answer = await lines.question(`${question} [y/N] `).finally(() => lines.close())
      return /^y(?:es)?$/i.test(answer.trim())
    },
    env,
  }
}

/** https://no-color.org: any value but the empty one turns colour off. */
function painter({ isTTY }: { isTTY?: boolean }, { NO_COLOR, TERM }: NodeJS.ProcessEnv): Terminal['paint'] {
  if (!isTTY || NO_COLOR || TERM === 'dumb') return (_colour, text) => text
  return (colour, text) => `\u001b[${CODES[colour]}m${text}\u001b[0m`
}

/** `1 route`, `2 routes` */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`
}
