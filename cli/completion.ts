// `postern completion bash|zsh|fish`: a script for the shell, made of the commands and options there are.
import { Argument, type Command, type Option } from 'commander'
import type { Terminal } from './terminal.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

export function addCompletion(program: Command, terminal: Terminal): void {
  program
    .command('completion')
    .summary('print a completion script for your shell')
    .description('Prints a script that lets your shell complete commands, options and files.')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText(
      'after',
      `
Examples:
  $ source <(postern completion bash)
  $ postern completion zsh > "\${fpath[1]}/_postern"
  $ postern completion fish > ~/.config/fish/completions/postern.fish`,
    )
    .action((shell: Shell) => terminal.write(SCRIPTS[shell](nodesOf(program, []))))
}

/** A command, named by the words that lead to it. */
interface Node {
  words: string[]
  summary: string
  commands: Command[]
  options: Option[]
  /** What the first argument can be, if that is a short list. */
  choices: readonly string[]
  takesFiles: boolean
}

function nodesOf(command: Command, words: string[]): Node[] {
  const help = command.createHelp()
  const [first] = command.registeredArguments
  const node: Node = {
    words,
    summary: command.summary(),
    commands: help.visibleCommands(command).filter((sub) => sub.name() !== 'help'),
    options: help.visibleOptions(command),
    choices: first?.argChoices ?? [],
    takesFiles: first !== undefined && first.argChoices === undefined,
  }
  return [node, ...node.commands.flatMap((sub) => nodesOf(sub, [...words, sub.name()]))]
}

const flagsOf = ({ short, long }: Option) => [short, long].filter((flag) => flag !== undefined)
const candidatesOf = ({ commands, choices }: Node) => [...commands.map((sub) => sub.name()), ...choices]

const SCRIPTS: Record<Shell, (nodes: readonly Node[]) => string> = { bash, zsh, fish }

function bash(nodes: readonly Node[]): string {
  const cases = nodes.map((node) => {
    const words = [...candidatesOf(node), ...node.options.flatMap(flagsOf)].join(' ')
    return `    "${node.words.join(' ')}") words='${words}' files=${node.takesFiles ? 1 : 0} ;;`
  })
  const paths = nodes.map(({ words }) => `"${words.join(' ')}"`).join('|')
  return `# Completion of postern for bash: source <(postern completion bash)
_postern() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command="" next word words="" files=0 index
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    next="\${command:+$command }$word"
    case "$next" in
    ${paths}) command="$next" ;;
    esac
  done
  case "$command" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [[ "$files" = 1 && "$current" != -* ]]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY+=($(compgen -f -- "$current"))
  fi
}
complete -F _postern postern
`
}

function zsh(nodes: readonly Node[]): string {
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`
  const describe = (name: string, text: string) => quote(`${name.replaceAll(':', '\\:')}:${text}`)
  const cases = nodes.map((node) => {
    const candidates = [
      ...node.commands.map((sub) => describe(sub.name(), sub.summary())),
      ...node.choices.map((choice) => describe(choice, '')),
    ]
    const options = node.options.flatMap((option) =>
      flagsOf(option).map((flag) => describe(flag, oneLine(option.description))),
    )
    const files = node.takesFiles ? 1 : 0
    return `    ${quote(node.words.join(' '))}) candidates=(${candidates.join(' ')}) options=(${options.join(' ')}) files=${files} ;;`
  })
  const paths = nodes.map(({ words }) => quote(words.join(' '))).join('|')
  return `#compdef postern
# Completion of postern for zsh: postern completion zsh > "\${fpath[1]}/_postern"
_postern() {
  local command="" next word files=0
  local -a candidates options
  for word in "\${(@)words[2,CURRENT-1]}"; do
    next="\${command:+$command }$word"
    case "$next" in
    ${paths}) command="$next" ;;
    esac
  done
  case "$command" in
${cases.join('\n')}
  esac
  if [[ "$words[CURRENT]" == -* ]]; then
    _describe -o 'option' options
    return
  fi
  (( $#candidates )) && _describe 'command' candidates
  (( files )) && _files
}
if [[ "$funcstack[1]" == _postern ]]; then _postern "$@"; else compdef _postern postern; fi
`
}

function fish(nodes: readonly Node[]): string {
  const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const paths = nodes.map(({ words }) => quote(words.join(' '))).join(' ')
  const lines = nodes.flatMap((node) => {
    const when = `complete -c postern -n ${quote(`__postern_at "${node.words.join(' ')}"`)}`
    return [
      ...(node.takesFiles ? [`${when} -F`] : []),
      ...node.commands.map((sub) => `${when} -a ${sub.name()} -d ${quote(sub.summary())}`),
      ...node.choices.map((choice) => `${when} -a ${choice}`),
      ...node.options.map((option) => {
        const flags = flagsOf(option).map((flag) => flag.replace(/^--/, '-l ').replace(/^-(?=\w$)/, '-s '))
        const value = option.required ? ' -r' : ''
        return `${when} ${flags.join(' ')}${value} -d ${quote(oneLine(option.description))}`
      }),
    ]
  })
  return `# Completion of postern for fish: postern completion fish > ~/.config/fish/completions/postern.fish
function __postern_at
  set -l command
  for word in (commandline -opc)[2..-1]
    set -l next (string join -- ' ' $command $word)
    contains -- "$next" ${paths}; and set command $next
  end
  test "$command" = "$argv[1]"
end
complete -c postern -f
${lines.join('\n')}
`
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ')
}
