// The modules that tools/build.ts puts into the bundle: the compiled policy, and what it was compiled from.
declare module 'postern:policy' {
  const policy: import('../policy/compiled.ts').CompiledDocuments
  export default policy
}

/** Loaded by dynamic import only: isolates that forward have no use for it. */
declare module 'postern:policy-source' {
  const source: {
    /** YAML, and the name that places in it are given with. */
    text: string
    file: string
    /** The default role catalogue, YAML as well. */
    catalogue: string
    /** Another one wherever the code that compiles is another. */
    revision: string
  }
  export default source
}
