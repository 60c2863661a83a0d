// Whether a person's browser wants to show a page; then a refusal is a page, and a problem document for everything else.
import { answerRefusal } from './answers.ts'
import type { Action } from './pages/page.ts'
import type { Refusal } from './refusal.ts'

/**
 * A browser says so itself; of older ones, whoever asks for HTML. A program that brings credentials of its own is none, and
 * neither is what a page loads by itself or shows in a frame.
 */
export function isNavigation({ method, headers }: Request): boolean {
  if (method !== 'GET' || headers.has('upgrade') || headers.has('authorization')) return false
  const mode = headers.get('sec-fetch-mode')
  if (mode !== null) return mode === 'navigate' && headers.get('sec-fetch-dest') === 'document'
  return (headers.get('accept') ?? '').includes('text/html') && !headers.has('x-requested-with')
}

/** `actions` are for people. */
export async function answerPlainly(
  request: Request,
  refusal: Refusal,
  requestId: string,
  actions: readonly Action[] = [],
): Promise<Response> {
  if (!isNavigation(request)) return answerRefusal(refusal, requestId)
  const { refusalPage } = await import('./pages/refusal-page.ts')
  return refusalPage(refusal, requestId, { actions })
}
