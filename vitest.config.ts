// The tiers of tests, one project each: policy/ pure, worker/ in workerd, e2e/ the whole product,
// cli/ the command as users have it.
import { defineConfig } from 'vitest/config'

const tier = (name: string, timeoutSeconds: number, globalSetup: string[] = []) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutSeconds * 1000,
    hookTimeout: 60_000,
    globalSetup,
  },
})

/** The tests' Worker, which stacks are made of. */
const BUNDLE = ['test/support/bundle-once.ts']

export default defineConfig({
  test: {
    // One more than there are cores: many tests wait for a clock or a socket.
    maxWorkers: 3,
    projects: [
      tier('policy', 30),
      tier('worker', 30, BUNDLE),
      tier('e2e', 60, BUNDLE),
      tier('cli', 60, BUNDLE),
    ],
  },
})
