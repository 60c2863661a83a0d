// `npm run bench`: runs the suites named, or all of them. With `--json` one flat object comes on standard
// output and everything else on standard error.
import { parseArgs } from 'node:util'
import { controlSuite } from './control.ts'
import { gatewaySuite } from './gateway.ts'
import { policySuite } from './policy.ts'
import { createReport, type Report } from './report.ts'
import { revocationSuite } from './revocation.ts'
import { CORES, pinLoadGenerator } from './workerd.ts'

const SUITES: Record<string, (report: Report) => Promise<void>> = {
  gateway: gatewaySuite,
  policy: policySuite,
  control: controlSuite,
  revocation: revocationSuite,
}

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const unknown = positionals.filter((name) => !Object.hasOwn(SUITES, name))
if (unknown.length > 0) {
  console.error(`There is no suite ${unknown.join(', ')}; there are: ${Object.keys(SUITES).join(', ')}.`)
  process.exit(2)
}

pinLoadGenerator()
const report = createReport(values.json ? console.error : console.log)
report.heading(`Medians (and quartiles) of rounds in which the sides take turns; ${CORES}.`)
for (const [name, suite] of Object.entries(SUITES)) {
  if (positionals.length === 0 || positionals.includes(name)) await suite(report)
}
if (values.json) console.log(JSON.stringify(report.figures()))
process.exit(0)
