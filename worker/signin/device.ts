// What people know a session by again: the browser and where it was. Neither decides anything.
import bowser from 'bowser'

const USER_AGENT_LENGTH_MAX = 500
const TEXT_LENGTH_MAX = 100

/** "Chrome on Windows". */
export function deviceOf(request: Request): string {
  const text = (request.headers.get('user-agent') ?? '').slice(0, USER_AGENT_LENGTH_MAX)
  if (text === '') return 'An unknown browser'
  const { browser, os } = bowser.parse(text)
  const parts = [browser.name || 'An unknown browser', os.name ? `on ${os.name}` : '']
  return parts.join(' ').trim().slice(0, TEXT_LENGTH_MAX)
}

/** As the platform says it of the address: "DE, Berlin". */
export function regionOf(request: Request): string | null {
  const { country, city } = (request.cf ?? {}) as { country?: unknown; city?: unknown }
  const parts = [country, city].filter((part) => typeof part === 'string' && part !== '')
  return parts.length > 0 ? parts.join(', ').slice(0, TEXT_LENGTH_MAX) : null
}
