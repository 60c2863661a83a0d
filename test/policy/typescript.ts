// The TypeScript compiler as the tests ask it: what a file imports, and what it says of text that is put in
// place of files.
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { ROOT } from './policies.ts'

export interface Import {
  specifier: string
  /** Erased before it runs, so that it loads nothing. `import { type A }` is not: it loads the module. */
  typeOnly: boolean
}

/** Static and dynamic imports, exports from, and types written as `import('...')`. */
export function importsOf(text: string): Import[] {
  const found: Import[] = []
  const add = (node: ts.Node | undefined, typeOnly: boolean) => {
    if (node && ts.isStringLiteralLike(node)) found.push({ specifier: node.text, typeOnly })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword)
    } else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isImportTypeNode(node)) {
      if (ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true)
    } else if (ts.isExternalModuleReference(node)) add(node.expression, false)
    else if (ts.isCallExpression(node)) {
      const { expression } = node
      const loads = expression.kind === ts.SyntaxKind.ImportKeyword || expression.getText(file) === 'require'
      if (loads) add(node.arguments[0], false)
    }
    ts.forEachChild(node, visit)
  }
  const file = parseSource(text)
  visit(file)
  return found
}

export function parseSource(text: string): ts.SourceFile {
  return ts.createSourceFile('source.ts', text, ts.ScriptTarget.Latest, true)
}

export interface Diagnosis {
  file: string
  code: number
  message: string
}

/**
 * What the compiler says of the given files under a project's options. `files` are paths in the repository;
 * the text stands in place of what is on disk, null takes the file as it is.
 */
export function diagnose(configFile: string, files: Record<string, string | null>): Diagnosis[] {
  const path = join(ROOT, configFile)
  const config = ts.parseJsonConfigFileContent(
    ts.readConfigFile(path, ts.sys.readFile).config,
    ts.sys,
    dirname(path),
  )
  const texts = new Map(Object.entries(files).map(([file, text]) => [join(ROOT, file), text]))
  const host = ts.createCompilerHost(config.options)
  const { fileExists, readFile } = host
  host.fileExists = (file) => typeof texts.get(file) === 'string' || fileExists.call(host, file)
  host.readFile = (file) => texts.get(file) ?? readFile.call(host, file)
  host.getSourceFile = (file, version) => {
    const text = host.readFile(file)
    return text === undefined ? undefined : ts.createSourceFile(file, text, version, true)
  }
  const program = ts.createProgram([...texts.keys()], config.options, host)
  return ts.getPreEmitDiagnostics(program).map(({ file, code, messageText }) => ({
    file: file?.fileName.slice(ROOT.length + 1) ?? '',
    code,
    message: ts.flattenDiagnosticMessageText(messageText, '\n'),
  }))
}
