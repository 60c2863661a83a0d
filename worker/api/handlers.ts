// Every operation's handler, in one map. Each file has those of its subject.
import { auditHandlers } from './audit.ts'
import type { Handlers } from './call.ts'
import { declarationHandlers } from './declaration.ts'
import { explainHandlers } from './explain.ts'
import { instanceHandlers } from './instance.ts'
import { issuerKeyHandlers } from './issuer-keys.ts'
import { issuerHandlers } from './issuers.ts'
import { meHandlers } from './me.ts'
import { memberHandlers } from './members.ts'
import { organizationHandlers } from './organizations.ts'
import { policyHandlers } from './policy.ts'
import { projectHandlers } from './projects.ts'
import { roleHandlers } from './roles.ts'
import { serviceAccountKeyHandlers } from './service-account-keys.ts'
import { serviceAccountHandlers } from './service-accounts.ts'
import { settingsHandlers } from './settings.ts'
import { userHandlers } from './users.ts'
import { versionHandlers } from './versions.ts'

export const HANDLERS: Handlers = {
  ...organizationHandlers,
  ...projectHandlers,
  ...declarationHandlers,
  ...instanceHandlers,
  ...versionHandlers,
  ...auditHandlers,
  ...meHandlers,
  ...explainHandlers,
  ...settingsHandlers,
  ...roleHandlers,
  ...policyHandlers,
  ...issuerHandlers,
  ...issuerKeyHandlers,
  ...userHandlers,
  ...memberHandlers,
  ...serviceAccountHandlers,
  ...serviceAccountKeyHandlers,
}
