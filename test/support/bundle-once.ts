// Bundles the tests' Worker once for a run of the worker tier. Each stack puts its own policy into it (stack.ts).
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { buildTemplate } from '../../tools/build.ts'

export const TEST_ENTRY = 'test/support/worker/entry.ts'

declare module 'vitest' {
  interface ProvidedContext {
    bundle: string
  }
}

export default async function setup(project: TestProject): Promise<() => void> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-bundle-'))
  const file = join(folder, 'worker.js')
  await buildTemplate(file, TEST_ENTRY)
  project.provide('bundle', file)
  return () => rmSync(folder, { recursive: true })
}
