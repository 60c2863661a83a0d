// The reference page of the management API: one HTML document made of the OpenAPI document, which loads
// nothing. How it looks and its few lines of script are docs-style.ts's.
import type {
  Answer,
  Content,
  DescribedOperation,
  JsonSchema,
  OpenApiDocument,
  Parameter,
} from '../../policy/openapi.ts'
import { SCRIPT, STYLE } from './docs-style.ts'

/** One piece of HTML. What is put into a template is text unless it is such a piece, or a list of them. */
interface Html {
  html: string
}
type Part = Html | string | number | null | readonly Part[]

function html(texts: TemplateStringsArray, ...parts: Part[]): Html {
  return { html: texts.reduce((all, text, index) => `${all}${htmlOf(parts[index - 1] ?? null)}${text}`) }
}

function htmlOf(part: Part): string {
  if (part === null) return ''
  if (typeof part === 'object') return 'html' in part ? part.html : part.map(htmlOf).join('')
  return String(part).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}

export function docsPage(document: OpenApiDocument): string {
  const origin = new URL(document.servers[0]?.url ?? '').origin
  const operations = Object.entries(document.paths).flatMap(([path, methods]) => {
    return Object.entries(methods).map(([method, described]) => ({ path, method, described }))
  })
  const groups = document.tags.map(({ name }) => ({
    name,
    operations: operations.filter(({ described }) => described.tags[0] === name),
  }))
  const schemas = Object.entries(document.components.schemas)
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${document.info.title}</title>
<style>${{ html: STYLE }}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the operations</a>
<header>
<h1>${document.info.title}</h1>
<p>${operations.length} operations under <code>${document.servers[0]?.url ?? ''}</code> · version ${document.info.version} · <a href="openapi.json">openapi.json</a></p>
</header>
<div class="columns">
<nav aria-label="Operations">
<label class="filter">Filter <input id="filter" type="search" autocomplete="off" placeholder="name, path or permission" hidden></label>
${groups.map(
  ({ name, operations }) => html`<section data-group><h2><a href="#${slugOf(name)}">${name}</a></h2>
<ul>${operations.map(({ method, path, described }) => html`<li data-find="${findBy(method, path, described)}"><a href="#${described.operationId}"><span class="method ${method}">${method}</span> ${described.summary}</a></li>`)}</ul></section>`,
)}
<section><h2><a href="#schemas">Schemas</a></h2></section>
</nav>
<main id="content">
<p>${marked(document.info.description)}</p>
<h2 id="authentication">Authentication</h2>
<pre><code>curl -H 'authorization: Bearer TOKEN' ${origin}/api/v1/me
curl -u 'key:postern_…' ${origin}/api/v1/me</code></pre>
<p id="none" hidden>No operation has these words.</p>
${groups.map(
  ({ name, operations }) => html`<section data-group><h2 id="${slugOf(name)}">${name}</h2>
${operations.map((operation) => operationOf(document, origin, operation))}</section>`,
)}
<section><h2 id="schemas">Schemas</h2>
${schemas.map(([name, schema]) => schemaOf(name, schema))}</section>
</main>
</div>
<script>${{ html: SCRIPT }}</script>
</body>
</html>
`
  return page.html
}

interface Placed {
  path: string
  method: string
  described: DescribedOperation
}

function operationOf(document: OpenApiDocument, origin: string, { path, method, described }: Placed): Html {
  const { operationId, summary, description, requestBody, responses } = described
  const parameters = described.parameters.map((one) => {
    return '$ref' in one ? (document.components.parameters[lastOf(one.$ref)] as Parameter) : one
  })
  return html`<details id="${operationId}" data-find="${findBy(method, path, described)}">
<summary><h3><span class="method ${method}">${method}</span> <code>${breakable(path)}</code></h3><span>${summary}</span></summary>
<p>${marked(description)}</p>
<p class="id">Operation <code>${operationId}</code> · <a href="#${operationId}">link</a></p>
${parameters.length === 0 ? null : html`<h4>Parameters</h4>${tableOf(parameters.map(rowOfParameter))}`}
${requestBody ? html`<h4>Body</h4>${contentOf(requestBody.content)}` : null}
<h4>Answers</h4>
<dl>${Object.entries(responses).map(([status, answer]) => answerOf(document, status, answer))}</dl>
<h4>Example</h4>
<pre><code>${curlOf(origin, { path, method, described }, parameters)}</code></pre>
</details>
`
}

function rowOfParameter({ name, in: place, required, description, schema }: Parameter): Row {
  return { name, note: place, required, type: typeOf(schema), about: aboutOf(schema, description) }
}

interface Row {
  name: string
  note?: string
  required: boolean
  type: Html
  about: Html
}

function tableOf(rows: readonly Row[]): Html {
  return html`<div class="table"><table>
<thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">About</th></tr></thead>
<tbody>${rows.map(({ name, note, required, type, about }) => {
    return html`<tr><th scope="row"><code>${name}</code>${required ? html` <span class="needed">needed</span>` : null}${note ? html` <small>${note}</small>` : null}</th><td>${type}</td><td>${about}</td></tr>
`
  })}</tbody></table></div>`
}

function schemaOf(name: string, schema: JsonSchema): Html {
  return html`<details id="schema-${name}">
<summary><h3><code>${name}</code></h3><span>${schema.description ?? ''}</span></summary>
${schema.properties ? membersOf(schema) : html`<p>${typeOf(schema)} ${aboutOf(schema)}</p>`}
</details>
`
}

function membersOf({ properties = {}, required = [] }: JsonSchema): Html {
  return tableOf(
    Object.entries(properties).map(([name, schema]) => ({
      name,
      required: required.includes(name),
      type: typeOf(schema),
      about: aboutOf(schema, schema.description),
    })),
  )
}

function contentOf(content: Content): Html {
  return html`${Object.entries(content).map(([type, { schema }]) => {
    const note = type === 'application/json' ? null : html` as <code>${type}</code>`
    return html`<p>${typeOf(schema)}${note}</p>${schema.properties ? membersOf(schema) : null}`
  })}`
}

function answerOf(document: OpenApiDocument, status: string, answer: Answer | { $ref: string }): Html {
  const {
    description,
    content,
    headers = {},
  } = '$ref' in answer ? (document.components.responses[lastOf(answer.$ref)] as Answer) : answer
  const names = Object.keys(headers)
  const told =
    names.length === 0 ? null : html` Headers: ${list(names.map((name) => html`<code>${name}</code>`))}.`
  const types = Object.entries(content ?? {}).map(([type, { schema }]) => {
    return html`${typeOf(schema)}${type === 'application/json' ? null : html` <small>${type}</small>`}`
  })
  return html`<dt>${status}</dt><dd>${marked(description)}${told} ${list(types)}</dd>
`
}

/** In words: `list of WrittenMapping`, with a link where there is one. */
function typeOf(schema: JsonSchema): Html {
  const { $ref, anyOf, oneOf, type, items, additionalProperties, properties } = schema
  if ($ref !== undefined) return html`<a href="#schema-${lastOf($ref)}">${lastOf($ref)}</a>`
  if (schema.enum) return list(schema.enum.map((one) => html`<code>${JSON.stringify(one)}</code>`))
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`
  const either = anyOf ?? (properties ? undefined : oneOf)
  if (either) return html`${either.map((one, index) => html`${index > 0 ? ' or ' : ''}${typeOf(one)}`)}`
  if (type === 'array') return html`list of ${typeOf(items ?? {})}`
  if (type === 'object' && typeof additionalProperties === 'object') {
    return html`object of ${typeOf(additionalProperties)}`
  }
  return html`${type === undefined ? 'any value' : [type].flat().join(' or ')}`
}

const BOUNDS = {
  minLength: 'length from',
  maxLength: 'to',
  minimum: 'from',
  maximum: 'to',
  minItems: 'entries from',
  maxItems: 'entries to',
}

function aboutOf(schema: JsonSchema, description = ''): Html {
  const bounds = Object.entries(BOUNDS).flatMap(([keyword, word]) => {
    const bound = schema[keyword]
    const before = keyword === 'maxLength' && schema.minLength === undefined ? 'length to' : word
    return typeof bound === 'number' ? [`${before} ${bound}`] : []
  })
  const usual =
    schema.default === undefined
      ? null
      : html` <small>usually <code>${JSON.stringify(schema.default)}</code></small>`
  const pattern = schema.pattern === undefined ? null : html` <small><code>${schema.pattern}</code></small>`
  return html`${marked(description)}${bounds.length > 0 ? html` <small>${bounds.join(', ')}</small>` : null}${pattern}${usual}`
}

function curlOf(
  origin: string,
  { path, method, described }: Placed,
  parameters: readonly Parameter[],
): string {
  const filled = path.replace(/\{(\w+)\}/g, (whole, name: string) => {
    return encodeURIComponent(String(parameters.find((one) => one.name === name)?.example ?? whole))
  })
  const query = parameters.filter((one) => one.in === 'query' && one.required)
  const asked = query.map(({ name, example }) => `${name}=${encodeURIComponent(String(example ?? ''))}`)
  const address = `${origin}/api/v1${filled}${asked.length > 0 ? `?${asked.join('&')}` : ''}`
  const body = described.requestBody?.content['application/json']?.example
  return [
    `curl${method === 'get' ? '' : ` -X ${method.toUpperCase()}`} '${address}'`,
    `-H "authorization: Bearer $POSTERN_TOKEN"`,
    ...(parameters.some((one) => one.name === 'If-Match' && one.required) ? [`-H 'if-match: "3"'`] : []),
    ...(body === undefined
      ? []
      : [
          `-H 'content-type: application/json'`,
          `-d '${JSON.stringify(body, null, 2).replaceAll("'", "'\\''")}'`,
        ]),
  ].join(' \\\n  ')
}

function findBy(method: string, path: string, described: DescribedOperation): string {
  const permission = described['x-postern-permission'] ?? ''
  return `${method} ${path} ${described.operationId} ${described.summary} ${permission} ${described.tags[0]}`.toLowerCase()
}

/** `code` in the words of the table; nothing else is markup there. */
function marked(text: string): Html {
  return html`${text.split('`').map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part))}`
}

/** A path may be broken after a slash on a narrow screen. */
function breakable(path: string): Html {
  return html`${path.split('/').map((part, index) => (index === 0 ? part : html`/<wbr>${part}`))}`
}

function list(parts: readonly Html[]): Html {
  return html`${parts.map((part, index) => html`${index > 0 ? ', ' : ''}${part}`)}`
}

const lastOf = (reference: string) => reference.slice(reference.lastIndexOf('/') + 1)
const slugOf = (tag: string) => `tag-${tag.toLowerCase().replaceAll(' ', '-')}`
