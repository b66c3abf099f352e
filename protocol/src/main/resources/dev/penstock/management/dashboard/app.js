// Puts the page together: who asks, the frame around the views, and the view of the place in the
// address. While nobody looks at the tab nothing is asked for.

import { Actions } from './actions.js';
import { Api } from './api.js';
import { LISTS } from './catalogue.js';
import { el, setAttribute, setText } from './dom.js';
import { word } from './format.js';
import { History } from './history.js';
import { ListView } from './list.js';
import { loginForm } from './login.js';
import { Overview } from './overview.js';
import { here, link } from './router.js';
import { badge } from './table.js';
import { themeSwitch } from './theme.js';
import { TunnelView } from './tunnel.js';

const STATUS_LOOK = 5_000;
const TOLD = 6_000;

class App {
  #api = new Api();
  #history = new History();
  #summary = null;
  #status = null;
  /** What the server's clock is ahead of this one's, ms. */
  #ahead = 0;
  #view = null;
  #session = null;
  #failing = new Map();
  #parts = {};

  async begin() {
    const parts = this.#parts;
    parts.theme = themeSwitch();
    parts.told = el('div', { class: 'told', role: 'status', 'aria-live': 'polite' });
    parts.frame = el('div', { class: 'frame' });
    document.body.append(
      el('a', { class: 'skip', href: '#main', on: { click: (event) => this.#skip(event) } },
        'Skip to the content'),
      parts.frame, parts.told);
    addEventListener('hashchange', () => this.#navigate());
    addEventListener('keydown', (event) => this.#key(event));
    document.addEventListener('visibilitychange', () => this.#look());
    setInterval(() => this.#tick(), 1_000);
    this.#api.whenUnauthorized(() => this.#signOut());
    await this.#enter();
  }

  /** Asks who this is; a text when that came to nothing. */
  async #enter() {
    try {
      this.#status = await this.#api.get('status');
    } catch (problem) {
      if (problem.status === 401) {
        return 'the token is not known here';
      }
      this.#tell(problem.message, 'bad');
      setTimeout(() => this.#enter(), STATUS_LOOK);
      return problem.message;
    }
    this.#buildFrame();
    this.#look();
    return null;
  }

  #signOut() {
    const wasIn = this.#status !== null;
    this.#api.token = null;
    this.#status = null;
    this.#stop();
    if (!wasIn && this.#parts.login) {
      return;
    }
    this.#parts.login = loginForm(async (token) => {
      this.#api.token = token;
      return this.#enter();
    });
    this.#parts.frame.replaceChildren(this.#parts.login.element);
    this.#parts.login.focus();
  }

  // --- the frame ---

  #buildFrame() {
    const parts = this.#parts;
    parts.login = null;
    parts.node = el('span', { class: 'node' });
    parts.state = el('span', { class: 'badge' });
    parts.links = Object.entries({ '': { title: 'Overview', of: [this.#status.kind] }, ...LISTS })
      .filter(([, list]) => list.of.includes(this.#status.kind))
      .map(([name, list]) => ({
        name, element: el('a', { href: link(name ? [name] : []) }, list.title),
      }));
    parts.who = el('span', { class: 'who' });
    const leave = this.#api.hasToken
      ? [el('button', { type: 'button', on: { click: () => this.#signOut() } }, 'Sign out')]
      : [];
    parts.alarm = el('p', { class: 'alarm', role: 'alert' });
    parts.main = el('main', { id: 'main', tabindex: '-1' });
    parts.frame.replaceChildren(
      el('header', {},
        el('div', { class: 'bar' },
          el('a', { class: 'brand', href: link([]) }, 'Penstock'), parts.node, parts.state,
          el('span', { class: 'space' }), parts.who, parts.theme, ...leave),
        el('nav', { 'aria-label': 'Lists' }, ...parts.links.map((entry) => entry.element))),
      parts.alarm, parts.main);
    this.#showStatus();
  }

  #showStatus() {
    const { node, state, who } = this.#parts;
    const status = this.#status;
    setText(node, `${status.kind} ${status.node}${status.cluster ? ` of ${status.cluster}` : ''}`);
    setAttribute(node, 'title', `version ${status.version}`);
    setText(state, word(status.state));
    setAttribute(state, 'class', badge(status.state));
    setAttribute(state, 'title', status.reasons.join('\n'));
    setText(who, `${status.caller} (${status.role})`);
  }

  /** Shows a line for a moment. */
  #tell(text, tone) {
    const line = el('p', { class: tone }, text);
    this.#parts.told.replaceChildren(line);
    setTimeout(() => line.remove(), TOLD);
  }

  /** What does not answer is said until it does. */
  #state(what, problem) {
    if (problem === null) {
      this.#failing.delete(what);
    } else {
      this.#failing.set(what, problem.message);
    }
    const [first] = this.#failing.values();
    setText(this.#parts.alarm, first === undefined
      ? ''
      : `What is shown may be old: ${first}. Trying again.`);
  }

  // --- looking ---

  #look() {
    this.#stop();
    if (document.hidden || this.#status === null) {
      return;
    }
    this.#session = new AbortController();
    const { signal } = this.#session;
    this.#context('status').poll('status', {}, STATUS_LOOK, (status) => {
      this.#status = status;
      this.#showStatus();
    }, signal);
    this.#context('summary').watch('summary', {}, (summary) => {
      this.#ahead = Date.parse(summary.time) - Date.now();
      this.#summary = summary;
    }, signal);
    this.#navigate();
  }

  #stop() {
    this.#session?.abort();
    this.#session = null;
    this.#view?.stop();
    this.#view = null;
    this.#failing.clear();
  }

  #navigate() {
    if (this.#session === null) {
      return;
    }
    this.#view?.stop();
    document.querySelectorAll('dialog').forEach((dialog) => dialog.close());
    const { steps, parameters } = here();
    const list = steps.length > 0 && Object.hasOwn(LISTS, steps[0])
      && LISTS[steps[0]].of.includes(this.#status.kind)
      ? steps[0]
      : '';
    const context = this.#context(list || 'overview');
    if (list === 'tunnels' && steps.length > 1) {
      this.#view = new TunnelView(steps[1], context);
    } else {
      this.#view = list ? new ListView(list, context, parameters) : new Overview(context);
    }
    this.#parts.links.forEach(({ name, element }) => {
      if (name === list) {
        element.setAttribute('aria-current', 'page');
      } else {
        element.removeAttribute('aria-current');
      }
    });
    document.title = `${list ? LISTS[list].title : 'Overview'} – Penstock`;
    this.#parts.main.replaceWith(this.#view.element);
    this.#parts.main = this.#view.element;
    this.#view.start();
  }

  /** What a view may use. */
  #context(what) {
    const api = this.#api;
    const onState = (part) => (problem) => this.#state(`${what} ${part}`, problem);
    return {
      kind: this.#status.kind,
      mayOperate: this.#status.role === 'operate',
      actions: new Actions(api, (text, tone) => this.#tell(text, tone)),
      history: this.#history,
      now: () => Date.now() + this.#ahead,
      summary: () => this.#summary,
      watch: (path, query, onData, signal) =>
        api.watch(path, query, { onData, onState: onState(path) }, signal),
      poll: (path, query, interval, onData, signal) =>
        api.poll(path, query, interval, { onData, onState: onState(path) }, signal),
    };
  }

  #tick() {
    if (this.#session === null) {
      return;
    }
    if (this.#summary !== null) {
      const { rate_in, rate_out, open_streams, open_sessions } = this.#summary;
      // Nothing new for a second means that it goes on as it was.
      this.#history.add(Date.now() + this.#ahead, [rate_in, rate_out, open_streams, open_sessions]);
      this.#view?.summary?.(this.#summary);
    }
    this.#view?.tick();
  }

  // --- keys ---

  #key(event) {
    const typing = event.target.closest('input, select, textarea, dialog') !== null;
    if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      document.getElementById('filter')?.focus();
      event.preventDefault();
    }
  }

  /** The address after `#` is the view's, so the jump is made here. */
  #skip(event) {
    event.preventDefault();
    document.getElementById('main')?.focus();
  }
}

await new App().begin();
