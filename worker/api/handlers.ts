// Every operation's handler, in one map. Each file has those of its subject.
import { auditHandlers } from './audit.ts'
import type { Handlers } from './call.ts'
import { declarationHandlers } from './declaration/declaration.ts'
import { explainHandlers } from './explain.ts'
import { instanceHandlers } from './instance.ts'
import { issuerHandlers } from './issuers/issuers.ts'
import { issuerKeyHandlers } from './issuers/keys.ts'
import { meHandlers } from './me.ts'
import { organizationHandlers } from './organizations/organizations.ts'
import { projectHandlers } from './organizations/projects.ts'
import { memberHandlers } from './people/members.ts'
import { serviceAccountKeyHandlers } from './people/service-account-keys.ts'
import { serviceAccountHandlers } from './people/service-accounts.ts'
import { userHandlers } from './people/users.ts'
import { policyHandlers } from './policy.ts'
import { roleHandlers } from './roles.ts'
import { sessionHandlers } from './sessions.ts'
import { settingsHandlers } from './settings.ts'
import { singleSignOnHandlers } from './single-sign-on.ts'
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
  ...sessionHandlers,
  ...settingsHandlers,
  ...singleSignOnHandlers,
  ...roleHandlers,
  ...policyHandlers,
  ...issuerHandlers,
  ...issuerKeyHandlers,
  ...userHandlers,
  ...memberHandlers,
  ...serviceAccountHandlers,
  ...serviceAccountKeyHandlers,
}
