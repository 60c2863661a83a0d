// How the reference page looks, and what it does when it is used: texts that stand in the page itself and are
// named by their hashes in its Content-Security-Policy.

export const STYLE = `
:root { --ink: #1d2330; --dim: #5a6275; --paper: #fff; --raised: #f5f6f9; --line: #d9dde6; --link: #1a55c4;
  --get: #0b6b3a; --post: #1a55c4; --put: #8a4b00; --patch: #8a4b00; --delete: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9f0; --dim: #a2abbd; --paper: #12151c; --raised: #1b2029; --line: #313846; --link: #8ab4ff;
    --get: #6fd39b; --post: #8ab4ff; --put: #ffb870; --patch: #ffb870; --delete: #ff9d94; }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
a { color: var(--link); }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: .5rem; background: var(--paper); padding: .25rem .5rem; }
header { padding: 1.25rem 1.5rem .75rem; border-bottom: 1px solid var(--line); }
h1 { margin: 0; font-size: 1.4rem; }
header p { margin: .25rem 0 0; color: var(--dim); overflow-wrap: anywhere; }
.columns { display: grid; grid-template-columns: 19rem minmax(0, 1fr); }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1rem 1rem 2rem 1.5rem;
  border-right: 1px solid var(--line); font-size: .9rem; }
nav h2 { font-size: .9rem; margin: 1rem 0 .25rem; }
nav h2 a { color: inherit; text-decoration: none; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav li a { display: flex; gap: .5rem; align-items: baseline; padding: .15rem 0; text-decoration: none; color: var(--dim); }
nav li a:hover { color: var(--link); }
nav .method { font-size: .65rem; width: 3.2rem; flex: none; }
.filter { display: block; color: var(--dim); }
input { width: 100%; padding: .4rem .6rem; font: inherit; color: inherit; background: var(--raised);
  border: 1px solid var(--line); border-radius: .4rem; }
main { padding: 1rem 2rem 4rem; max-width: 68rem; }
main h2 { margin: 2.25rem 0 .5rem; font-size: 1.2rem; }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .5rem 0; padding: 0 1rem; }
summary { cursor: pointer; padding: .6rem 0; display: flex; flex-wrap: wrap; gap: .15rem .75rem; align-items: baseline; }
summary h3 { margin: 0; font-size: .95rem; font-weight: 500; overflow-wrap: anywhere; }
summary > span { color: var(--dim); font-size: .9rem; }
details[open] { padding-bottom: .75rem; }
details[open] > summary { border-bottom: 1px solid var(--line); margin-bottom: .5rem; }
h4 { margin: 1rem 0 .35rem; font-size: .9rem; }
.method { display: inline-block; font: 700 .75rem ui-monospace, monospace; text-transform: uppercase; }
.get { color: var(--get); } .post { color: var(--post); } .put { color: var(--put); }
.patch { color: var(--patch); } .delete { color: var(--delete); }
.id, small { color: var(--dim); font-size: .85rem; }
.needed { color: var(--delete); font: .75rem system-ui, sans-serif; }
code, pre { font: .85rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { background: var(--raised); border: 1px solid var(--line); border-radius: .4rem; padding: .75rem; overflow: auto; }
pre code { overflow-wrap: normal; }
.table { overflow: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-top: 1px solid var(--line); }
th[scope="row"] { font-weight: 400; min-width: 12.5rem; }
thead th { border-top: 0; color: var(--dim); font-weight: 500; }
dl { display: grid; grid-template-columns: 3rem minmax(0, 1fr); gap: .2rem .75rem; margin: 0; font-size: .9rem; }
dt { font-family: ui-monospace, monospace; } dd { margin: 0; overflow-wrap: anywhere; }
[hidden] { display: none !important; }
@media (max-width: 56rem) {
  .columns { display: block; }
  nav { position: static; height: auto; max-height: 45vh; border-right: 0; border-bottom: 1px solid var(--line); padding: 1rem; }
  header { padding: 1rem; } main { padding: .5rem 1rem 3rem; } details { padding: 0 .75rem; }
  table, tbody, tr, th, td { display: block; } thead { display: none; }
  td, th { border: 0; padding: .1rem 0; } tr { border-top: 1px solid var(--line); padding: .4rem 0; }
}
@media print { nav { display: none; } .columns { display: block; } }
`

export const SCRIPT = `
const filter = document.getElementById('filter'), none = document.getElementById('none')
const open = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)))
  if (!target) return
  if (target.tagName === 'DETAILS') target.open = true
  target.scrollIntoView()
}
filter.hidden = false
filter.addEventListener('input', () => {
  const words = filter.value.toLowerCase().split(/\\s+/).filter(Boolean)
  let found = 0
  for (const one of document.querySelectorAll('[data-find]')) {
    one.hidden = !words.every((word) => one.dataset.find.includes(word))
    if (!one.hidden) found++
  }
  for (const group of document.querySelectorAll('[data-group]')) {
    group.hidden = !group.querySelector('[data-find]:not([hidden])')
  }
  none.hidden = found > 0
})
addEventListener('hashchange', open)
open()
`
