// The frame of pages: whatever is put into one is text, its addresses lead where addresses may, and its headers keep it to
// itself. Every reason that people meet has words of its own.
import { describe, expect, it } from 'vitest'
import { REASONS, type Reason } from '../../policy/reasons.ts'
import { actionLinks, answerPage, html } from '../../worker/pages/page.ts'
import { ADVICE, refusalPage } from '../../worker/pages/refusal-page.ts'
import { refuse } from '../../worker/refusal.ts'

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '</title></style><svg onload=alert(1)>',
  '&lt;b&gt; &#60;b&#62;',
  '`onload=alert(1)`',
  'a\u0000b\u2028<b>',
]

const decode = (_: string, code: string) => String.fromCharCode(Number(code))

/** A page without its own mark-up, so that what is left of the value is what was put in. */
async function pageWith(value: string): Promise<string> {
  const body = html`<p class="${value}">${value}</p>${[value, [value]]}${actionLinks([{ label: value, href: '/ok' }])}`
  const page = await answerPage({ title: value, body, status: 200, requestId: 'an-id' })
  return page.text()
}

describe('what is put into a page is text', () => {
  it.each(HOSTILE)('%j', async (value) => {
    const [with_, without] = [await pageWith(value), await pageWith('X')]
    const tags = (text: string) =>
      text.match(/<[^>]*>/g)?.map((tag) => tag.replace(/class="[^"]*"/, 'class')) ?? []
    expect(tags(with_)).toEqual(tags(without))
    // Once they are unescaped, they are what they were.
    const shown = /<h1>([^<]*)<\/h1>/.exec(with_)?.[1] ?? ''
    expect(shown.replace(/&#(\d+);/g, decode)).toBe(value)
  })

  it('a refusal shows nothing as mark-up that came from outside', async () => {
    const hostile = HOSTILE.join('')
    const page = await refusalPage(
      refuse('provider_refused', hostile, { check: hostile, subject: hostile }),
      'id',
    )
    const text = await page.text()
    expect(text).not.toMatch(/<(?:script|img|b>)|onload=alert\(1\)>/)
  })
})

describe('an address of a page', () => {
  it.each(['/', '/login?a=b', 'https://idp.test/x', 'http://plain.test/'])('may be %j', (href) => {
    expect(actionLinks([{ label: 'x', href }])?.html).toContain('href="')
  })

  it.each([
    'javascript:alert(1)',
    ' javascript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    '//evil.test',
    '/\\evil.test',
    'relative',
    '',
  ])('may not be %j', (href) => {
    expect(() => actionLinks([{ label: 'x', href }])).toThrow('may only link to')
  })
})

describe('headers of a page', () => {
  const page = (more: object = {}) => {
    return answerPage({ title: 'x', body: 'x', status: 200, requestId: 'an-id', ...more })
  }

  it('let nothing run, nothing load, nobody frame it or keep it', async () => {
    const { headers } = await page()
    const policy = headers.get('content-security-policy')
    expect(policy).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/]{43}='; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
    )
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'cross-origin-opener-policy': 'same-origin',
      'content-type': 'text/html; charset=utf-8',
      'x-request-id': 'an-id',
    })
  })

  it('name the style that is in it', async () => {
    const answer = await page()
    const style = /<style>([\s\S]*?)<\/style>/.exec(await answer.text())?.[1] ?? ''
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(style))
    const hash = Buffer.from(digest).toString('base64')
    expect(answer.headers.get('content-security-policy')).toContain(`style-src 'sha256-${hash}'`)
  })

  it('let a form lead to the origins of what is given, and to nothing that is written into them', async () => {
    const given = [
      "https://app.test/a;script-src *?'unsafe-inline' x",
      'https://app.test/b',
      'http://a.test:81',
    ]
    const { headers } = await page({ formAction: given })
    const policy = headers.get('content-security-policy')
    expect(policy).toContain("form-action 'self' https://app.test http://a.test:81;")
    expect(policy).not.toContain('script-src')
  })

  it('let anybody frame what is made for frames', async () => {
    const { headers } = await page({ frames: 'any' })
    expect(headers.get('content-security-policy')).toContain('frame-ancestors *')
    expect(headers.get('x-frame-options')).toBeNull()
  })

  it('keep what is given, each cookie for itself, but never their own', async () => {
    const given = [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['cache-control', 'public'],
    ]
    const { headers } = await page({ headers: given })
    expect(headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(headers.get('cache-control')).toBe('no-store')
  })
})

describe('a refusal as a page', () => {
  it.each(Object.keys(REASONS) as Reason[])(
    '%s says what happened, what to do and what to name',
    async (reason) => {
      const page = await refusalPage(refuse(reason, 'The detail.'), 'an-id', {
        actions: [{ label: 'Go on', href: '/login' }],
      })
      const text = (await page.text()).replace(/&#(\d+);/g, decode)
      expect(page.status).toBeGreaterThanOrEqual(400)
      expect(text.match(/<h1>/g)).toHaveLength(1)
      for (const said of [
        REASONS[reason],
        'The detail.',
        'an-id',
        `<code>${reason}</code>`,
        'href="/login"',
      ]) {
        expect(text).toContain(said)
      }
    },
  )

  it('has no words of a program', () => {
    for (const { title, advice } of Object.values(ADVICE)) {
      expect(advice).toMatch(/[.]$/)
      expect(`${title} ${advice}`).not.toMatch(/token|nonce|claim|header|undefined|null/i)
    }
  })
})
