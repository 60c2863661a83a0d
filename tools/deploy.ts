// `npm run deploy`: looks for what is still a placeholder in wrangler.toml, then hands over to wrangler,
// which builds (tools/build.ts) and uploads. Arguments go to wrangler: `npm run deploy -- --dry-run`.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './build.ts'

const PLACEHOLDERS: [pattern: RegExp, what: string][] = [
  [/^id = "0+"/m, 'the id of the KV namespace (wrangler kv namespace create postern)'],
  [/^database_id = "[0-]+"/m, 'the id of the D1 database (wrangler d1 create postern)'],
  [/^GATEWAY_ORIGINS = ".*example\.com/m, 'GATEWAY_ORIGINS, the origins of your gateway hosts'],
  [/^# routes = /m, 'routes, one for each gateway host and each fronted host'],
]

const args = process.argv.slice(2)
const configuration = readFileSync(join(ROOT, 'wrangler.toml'), 'utf8')
const missing = PLACEHOLDERS.filter(([pattern]) => pattern.test(configuration)).map(
  ([, what]) => `  - ${what}`,
)
if (missing.length > 0 && !args.includes('--dry-run')) {
  console.error(`wrangler.toml still needs:\n${missing.join('\n')}\ndocs/guides/deploy.md goes through them.`)
  process.exit(1)
}
const { status } = spawnSync(join(ROOT, 'node_modules/.bin/wrangler'), ['deploy', ...args], {
  cwd: ROOT,
  stdio: 'inherit',
  env: { ...process.env, WRANGLER_SEND_METRICS: 'false' },
})
process.exit(status ?? 1)
