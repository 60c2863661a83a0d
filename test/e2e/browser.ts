// Chromium for the browser tests: found, started and looked at. What a person does with it is the tests' business.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type LaunchOptions, type Page } from 'playwright-core'
import { findChromium } from '../../tools/browser.ts'

/** Long enough for a machine that does other things as well. */
const ACTION_MS_MAX = 15_000

export function launchBrowser(): Promise<Browser> {
  return chromium.launch(launchOptions())
}

/** As somebody has set it who wants no cookies of these hosts; `folder` is for its profile. */
export async function launchWithoutCookies(
  folder: string,
  hosts: readonly string[],
): Promise<BrowserContext> {
  const cookies = Object.fromEntries(hosts.map((host) => [`${host},*`, { setting: 2 }]))
  mkdirSync(join(folder, 'Default'), { recursive: true })
  const preferences = { profile: { content_settings: { exceptions: { cookies } } } }
  writeFileSync(join(folder, 'Default/Preferences'), JSON.stringify(preferences))
  const context = await chromium.launchPersistentContext(folder, launchOptions())
  context.setDefaultTimeout(ACTION_MS_MAX)
  return context
}

function launchOptions(): LaunchOptions {
  const executablePath = findChromium()
  if (executablePath === null) throw new Error('There is no Chromium; tools/browser.ts says how to get it.')
  // Chromium refuses to run its sandbox as root.
  return { executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] }
}

/** A browser of its own: nothing of another test is in it. */
export async function newPerson(
  browser: Browser,
): Promise<{ context: BrowserContext; complaints: string[] }> {
  const context = await browser.newContext()
  context.setDefaultTimeout(ACTION_MS_MAX)
  const complaints: string[] = []
  context.on('console', (message) => {
    // A page that answers 4xx is told in the same place, and is what many tests are about.
    const isStatus = message.text().startsWith('Failed to load resource: the server responded with a status')
    if (message.type() === 'error' && !isStatus)
      complaints.push(`${message.text()} (${message.page()?.url()})`)
  })
  context.on('weberror', (error) => complaints.push(String(error.error())))
  return { context, complaints }
}

const ASKS_PASSWORD = 'input[name=password]'

/** Whether the demo identity provider asks who somebody is. */
export async function isAsked(page: Page): Promise<boolean> {
  await page.waitForSelector('h1')
  return page.isVisible(ASKS_PASSWORD)
}

/** On the page of the demo identity provider, which must be there. */
export async function fillSignIn(page: Page, person: string): Promise<void> {
  await page.fill('input[name=username]', person)
  await page.fill(ASKS_PASSWORD, person)
}

/** From there to the page that was asked for: the demo upstream greets people. */
export async function submitSignIn(page: Page, person: string): Promise<void> {
  await fillSignIn(page, person)
  await page.press(ASKS_PASSWORD, 'Enter')
  await page.waitForSelector('h1:has-text("Hello, ")')
}

/** Whom the demo upstream greets, or null where it is not its page. */
export async function greeted(page: Page): Promise<string | null> {
  const heading = (await page.textContent('h1')) ?? ''
  return heading.startsWith('Hello, ') ? heading.replace('Hello, ', '') : null
}
