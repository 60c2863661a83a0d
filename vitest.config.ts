// The tiers of tests, one project each: policy/ pure, worker/ in workerd, e2e/ the whole product,
// cli/ the command as users have it.
import { defineConfig } from 'vitest/config'

const tier = (name: string, timeoutSeconds: number) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutSeconds * 1000,
    hookTimeout: 60_000,
  },
})

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [tier('policy', 30), tier('worker', 30), tier('e2e', 60), tier('cli', 60)],
  },
})
