// How every page of signing in and out looks: one text, which stands in the page and is named by its hash in the
// page's Content-Security-Policy.

export const STYLE = `
:root { color-scheme: light dark; --ink: #1b2230; --dim: #566074; --paper: #f3f5f9; --card: #fff; --line: #d5dae4;
  --link: #1a55c4; --on-link: #fff; --hover: #eef3fd; --warn: #8a4b00; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ebf2; --dim: #a5aec0; --paper: #10131a; --card: #191e27; --line: #343c4b;
    --link: #8ab4ff; --on-link: #0c1424; --hover: #222a38; --warn: #ffb870; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: flex; flex-direction: column; align-items: center; justify-content: center;
  padding: 1.5rem 1rem; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
.product { display: flex; align-items: center; gap: .5rem; margin: 0 0 1rem; font-weight: 600; letter-spacing: .01em; }
.product svg { width: 1.5rem; height: 1.5rem; color: var(--link); }
main { width: 100%; max-width: 30rem; background: var(--card); border: 1px solid var(--line); border-radius: .9rem;
  padding: 2rem; box-shadow: 0 1px 2px rgb(0 0 0 / .05), 0 12px 32px rgb(0 0 0 / .06); overflow-wrap: anywhere; }
h1 { margin: 0 0 1rem; font-size: 1.4rem; line-height: 1.3; overflow-wrap: break-word; text-wrap: balance; }
p { margin: 0 0 1rem; }
main > :last-child { margin-bottom: 0; }
.dim { color: var(--dim); }
.note { border-left: .25rem solid var(--warn); padding-left: .75rem; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 3px; }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.5rem 0 0; }
.button { display: inline-block; padding: .65rem 1.25rem; border: 1px solid var(--link); border-radius: .5rem;
  background: var(--link); color: var(--on-link); font: inherit; font-weight: 600; text-align: center;
  text-decoration: none; cursor: pointer; overflow-wrap: anywhere; }
.button:hover { filter: brightness(1.08); }
.button.second { background: transparent; color: var(--link); }
.button.second:hover { background: var(--hover); filter: none; }
.choices { list-style: none; margin: 1.5rem 0 0; padding: 0; display: grid; gap: .75rem; }
.choices a { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .25rem .75rem;
  padding: .85rem 1.1rem; border: 1px solid var(--line); border-radius: .5rem; color: var(--ink); font-weight: 600;
  text-decoration: none; }
.choices a:hover { border-color: var(--link); background: var(--hover); }
.choices .mark { font-size: .8rem; font-weight: 400; color: var(--dim); }
label { display: block; margin: 0 0 .35rem; font-weight: 600; }
input { width: 100%; padding: .65rem .75rem; border: 1px solid var(--dim); border-radius: .5rem; background: var(--paper);
  color: var(--ink); font: inherit; }
details { margin: 1.5rem 0 0; border-top: 1px solid var(--line); padding-top: 1rem; font-size: .9rem; }
summary { cursor: pointer; color: var(--dim); }
dl { margin: .75rem 0 0; }
dt { color: var(--dim); }
dd { margin: 0 0 .5rem; }
dl > :last-child { margin: 0; }
code { font: .9em/1.5 ui-monospace, monospace; }
footer { margin: 1rem 0 0; max-width: 30rem; color: var(--dim); font-size: .8rem; text-align: center; overflow-wrap: anywhere; }
@media (max-width: 30rem) { main { padding: 1.25rem; } .button { width: 100%; } }
@media (forced-colors: active) { main, .button, input { border: 1px solid; } }
@media print { main { box-shadow: none; } }
`
