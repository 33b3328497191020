// The frame of the console: navigation, the session, the state of the connection, and the page that the address names.
import { html, render, useEffect, useRef, useState, useStore, keep, kept, Component } from './lib.js';
import { begin, enter, leave, link, session, usePoll, ApiError } from './api.js';
import { place, href } from './route.js';
import { Dialogs, Segmented, dismiss, zone } from './parts.js';
import { clock } from './format.js';
import { theme } from './plot.js';
import { Overview } from './pages/overview.js';
import { Users } from './pages/users.js';
import { User } from './pages/user.js';
import { Decisions } from './pages/decisions.js';
import { Decision } from './pages/decision.js';
import { Policies } from './pages/policies.js';
import { Experiments, Experiment } from './pages/experiments.js';
import { Shadows } from './pages/shadows.js';
import { Events } from './pages/events.js';
import { Tokens } from './pages/tokens.js';
import { Node } from './pages/node.js';
import { clusterOf } from './pages/nodes.js';
import { Settings } from './pages/settings.js';

/** Name, title, the page of the list, and the page of one. */
const PAGES = [
  ['overview', 'Overview', Overview],
  ['users', 'Users', Users, User],
  ['decisions', 'Decisions', Decisions, Decision],
  ['policies', 'Policies', Policies],
  ['experiments', 'Experiments', Experiments, Experiment],
  ['shadows', 'Shadows', Shadows],
  ['events', 'Events', Events],
  ['tokens', 'Tokens', Tokens],
  ['node', 'Node', Node],
  ['settings', 'Settings', Settings],
];

/** How often every page asks what the node does, ms: whether it drains, and who made it. */
const NODES_MS = 2000;

/** Shows what went wrong in a page instead of a blank one, until the page is changed. */
class Guard extends Component {
  componentDidCatch(error) { this.setState({ error }); }

  render() {
    if (!this.state.error) return this.props.children;
    return html`<h1 tabindex="-1">This page failed</h1><p class="note bad">${String(this.state.error.message)}. The other pages work; a reload may help.</p>`;
  }
}

function Nav({ current, titles }) {
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [current]);
  const is = useStore(session);
  return html`<div class=${`side ${open ? 'open' : ''}`}>
    <a class="brand" href="#/overview"><img src="console/icon.svg" alt="" />wastegate</a>
    <button type="button" class="menu" aria-expanded=${String(open)} aria-controls="nav" onClick=${() => setOpen(!open)}>${open ? 'Close menu' : 'Menu'}</button>
    <nav id="nav" aria-label="Pages"><ul class="nav">${PAGES.map(([name, title]) => html`<li key=${name}>
      <a href=${href([name])} aria-current=${name === current ? 'page' : undefined}>${titles[name] ?? title}</a></li>`)}</ul></nav>
    <div class="side-foot">
      <${LinkState} />
      <${Theme} />
      ${is.state === 'in' && html`<div class="row"><button type="button" class="small" onClick=${leave}>Sign out</button>${is.name && html`<span class="small soft">${is.name}</span>`}${is.role === 'read' && html`<span class="tag">reads only</span>`}</div>`}
      <p class="small soft">Times in ${zone()}</p>
    </div></div>`;
}

function LinkState() {
  const is = useStore(link);
  const words = { starting: 'Connecting', live: `Live, ${is.at ? clock(is.at) : ''}`, lost: 'Not connected' };
  return html`<p class=${`link-state ${is.state}`}><i></i>${words[is.state]}</p>`;
}

function Theme() {
  const [value, setValue] = useState(kept('theme') ?? 'auto');
  const set = (to) => {
    setValue(to);
    keep('theme', to === 'auto' ? null : to);
    if (to === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = to;
    theme.set(theme.get() + 1);
  };
  return html`<${Segmented} label="Theme" value=${value} set=${set} options=${[['auto', 'Auto'], ['light', 'Light'], ['dark', 'Dark']]} />`;
}

function Entry() {
  const is = useStore(session);
  const [token, setToken] = useState('');
  const [wrong, setWrong] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await enter(token.trim());
      setWrong(null);
    } catch (failed) {
      setWrong(failed instanceof ApiError ? failed.message : 'The server does not answer.');
    }
    setBusy(false);
  };
  return html`<main class="entry" id="main"><div class="brand"><img src="console/icon.svg" alt="" />wastegate</div>
    <form class="card" onSubmit=${submit}>
      <h1 tabindex="-1">Operators' token</h1>
      <p class="soft">It is the value of <code>admin.token</code>, or what is in the file <code>admin.token</code> of the server's state directory.</p>
      <label class="field"><span>Token</span><input type="password" value=${token} required autocomplete="current-password" autofocus onInput=${(event) => setToken(event.currentTarget.value)} /></label>
      ${is.note && !is.wrong && !wrong && html`<p class="note good" role="status">${is.note}</p>`}
      ${(is.wrong || wrong) && html`<p class="note bad" role="alert">${wrong ?? 'That is not the token of this server.'}</p>`}
      <div class="row"><button class="primary" type="submit" disabled=${busy}>${busy ? 'Working…' : 'Enter'}</button></div>
    </form></main>`;
}

function Console() {
  const is = useStore(session);
  const { parts, asked } = useStore(place);
  const current = PAGES.find(([name]) => name === parts[0]) ?? PAGES[0];
  const [name, title, List, One] = current;
  const nodes = usePoll('v1/nodes', NODES_MS, { cheap: true });
  // A node of a cluster shows all of them.
  const titles = clusterOf(nodes) ? { node: 'Nodes' } : {};
  const shownTitle = titles[name] ?? title;
  const key = parts.join('/');
  const first = useRef(true);
  useEffect(() => { document.title = `${parts[1] ? `${parts[1]} – ` : ''}${shownTitle} – wastegate`; }, [key, shownTitle]);
  useEffect(() => {
    dismiss();
    // A new page is read from its heading on; the first one is left as the browser has it.
    if (first.current) first.current = false;
    else {
      scrollTo(0, 0);
      document.querySelector('main h1')?.focus({ preventScroll: true });
    }
  }, [key]);
  const Page = parts[1] !== undefined && One ? One : List;
  return html`<a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.querySelector('main h1')?.focus(); }}>To the page</a>
    <div class="frame"><${Nav} current=${name} titles=${titles} />
    <main id="main"><${Guard} key=${key}><${Page} key=${key} name=${parts[1]} rest=${parts.slice(2)} asked=${asked} nodes=${nodes} readOnly=${is.role === 'read'} /></${Guard}></main></div>
    <${Strip} nodes=${nodes} /><${Dialogs} />`;
}

/** A line over the foot of the page, where nothing moves for it. */
function Strip({ nodes }) {
  const is = useStore(link);
  const [node] = nodes.data?.nodes ?? [];
  const drains = node?.drain ? 'The node is drained by an operator: it takes no new connections, and those that it has stay.' : node?.draining ? 'The server is draining: it takes no new connections and ends those that it has.' : '';
  const lost = `Not connected${is.at ? ` since ${clock(is.at)}` : ''}. What is shown may have changed; trying again.`;
  const text = is.state === 'lost' ? lost : drains;
  return html`<div role="status" class=${text ? `strip ${is.state === 'lost' ? '' : 'warn'}` : 'visually-hidden'}>${text}</div>`;
}

function App() {
  const is = useStore(session);
  useEffect(() => {
    let timer = null;
    const look = () => begin().catch(() => { timer = setTimeout(look, 1500); });
    look();
    return () => clearTimeout(timer);
  }, []);
  if (is.state === 'locked') return html`<${Entry} />`;
  if (is.state === 'unknown') return html`<main class="entry" id="main"><h1 class="visually-hidden">wastegate</h1><${Waiting} /></main>`;
  return html`<${Console} />`;
}

function Waiting() {
  const is = useStore(link);
  return html`<p class="boot" role="status">${is.state === 'lost' ? 'The server does not answer. Trying again.' : 'Connecting.'}</p>`;
}

const root = document.getElementById('app');
root.replaceChildren();
render(html`<${App} />`, root);
