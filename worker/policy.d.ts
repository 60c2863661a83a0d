// The policy that tools/build.ts compiles into the bundle.
declare module 'postern:policy' {
  const policy: import('../policy/compiled.ts').CompiledDocuments
  export default policy
}
