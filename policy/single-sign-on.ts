// What holds of single sign-on while nobody has said otherwise ([2-12]). Loads no schema, since the request path reads
// it.
import type { SingleSignOn } from './schema-sign-in.ts'

export const DEFAULT_SINGLE_SIGN_ON: SingleSignOn = {
  isActive: false,
  inactivityTimeoutSeconds: 86_400,
  lifetimeSeconds: 2_592_000,
  logoutRedirectUris: [],
}
