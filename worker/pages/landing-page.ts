// The ends of the way: who one is signed in as, and that one is no longer.
import { type Action, actionLinks, answerPage, html } from './page.ts'

export interface Landing {
  requestId: string
  /** The e-mail, name or subject; null: nobody is signed in. */
  person: string | null
  /** Display name of the issuer that vouches, or how else it came to be. */
  issuer: string | null
  actions: readonly Action[]
  headers?: HeadersInit
}

/** What `/` of a gateway host shows. */
export async function landingPage(landing: Landing): Promise<Response> {
  const { requestId, person, issuer, actions, headers = [] } = landing
  const through = issuer === null ? null : html`, signed in through ${issuer}`
  return answerPage({
    title: person === null ? 'You are not signed in' : 'You are signed in',
    status: 200,
    requestId,
    headers,
    body: html`${
      person === null
        ? html`<p>Sign in to go on to the applications behind this page.</p>`
        : html`<p>You are <strong>${person}</strong>${through}.</p>`
    }
${actionLinks(actions)}`,
  })
}

export interface SignedOut {
  requestId: string
  /** What else there is to know, a sentence each: that the issuer's own session lives on, say. */
  notes: readonly string[]
  actions: readonly Action[]
  frames?: 'any'
  headers?: HeadersInit
}

export async function signedOutPage(signedOut: SignedOut): Promise<Response> {
  const { requestId, notes, actions, frames, headers = [] } = signedOut
  return answerPage({
    title: 'You are signed out',
    status: 200,
    requestId,
    headers,
    ...(frames ? { frames } : {}),
    body: html`<p>You have been signed out here and of every application that you came to from here.</p>
${notes.map((note) => html`<p class="note">${note}</p>`)}
${actionLinks(actions)}`,
  })
}
