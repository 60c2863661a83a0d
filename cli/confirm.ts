// Whether a change that was shown is meant: asked of a person, or said with options where nobody is there.
import { Option } from 'commander'
import { trouble } from './input.ts'
import { EXIT, type ExitCode, type Terminal } from './terminal.ts'

export interface ConfirmOptions {
  confirm: string[]
  yes?: true
}

export function confirmOption(): Option {
  return new Option('--confirm <what>', 'say that this is meant, as the preview names it; several by commas')
    .argParser((text: string, before: string[]) => [...before, ...text.split(',').map((what) => what.trim())])
    .default([])
}

type GoingOn = { ok: true; confirmed: string[] } | { ok: false; code: ExitCode }

/** A yes of a person who has seen what has to be confirmed confirms it; --yes alone does not. */
export async function mayGoOn(
  terminal: Terminal,
  question: string,
  toConfirm: readonly string[],
  { confirm, yes }: ConfirmOptions,
): Promise<GoingOn> {
  const missing = toConfirm.filter((what) => !confirm.includes(what))
  if (yes) {
    if (missing.length === 0) return { ok: true, confirmed: confirm }
    return trouble(terminal, `it has to be confirmed: --confirm ${toConfirm.join(',')}`)
  }
  const about = missing.length > 0 ? `This also confirms ${missing.join(' and ')}. ${question}` : question
  const answer = await terminal.ask(about)
  if (answer === null) {
    return trouble(terminal, 'nobody can be asked, since standard input is no terminal; say --yes.')
  }
  if (answer) return { ok: true, confirmed: [...confirm, ...missing] }
  terminal.note('Nothing was changed.')
  return { ok: false, code: EXIT.no }
}
