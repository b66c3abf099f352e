// One tunnel: where its clients connect to, what flows, who is connected and who was lately.

import { columnsOf, publicAddress } from './catalogue.js';
import { Chart, binary } from './chart.js';
import { el, setAttribute, setText } from './dom.js';
import { age, bytes, clock, count, rate, text, word } from './format.js';
import { History } from './history.js';
import { buttons } from './list.js';
import { link } from './router.js';
import { Table, badge } from './table.js';

const LOOK = 1_000;
const EVENTS_LOOK = 2_000;
const OPEN = 50;

/** Of those that ended while somebody looked. */
const ENDED = 50;

const FACTS = [
  ['Protocol', (it) => text(it.protocol)],
  ['Cluster', (it) => text(it.cluster), 'gateway'],
  ['Service', (it) => service(it), 'gateway'],
  ['Leads to', (it) => text(it.leads_to), 'agent'],
  ['Links', (it) => count(it.links), 'gateway'],
  ['Open', (it) => count(it.open_streams)],
  ['Opened', (it) => count(it.opened)],
  ['Refused', (it) => count(it.refused), 'gateway'],
  ['Failed', (it) => count(it.failed), 'agent'],
  ['In', (it) => bytes(it.bytes_in)],
  ['Out', (it) => bytes(it.bytes_out)],
  ['Last opened', (it, now) => (it.last_opened_at ? `${age(it.last_opened_at, now)} ago` : '–')],
];

function service(tunnel) {
  const name = [tunnel.service_name, tunnel.service_namespace].filter((it) => it).join('.');
  return tunnel.service_port ? `${name || 'port'}:${tunnel.service_port}` : text(name);
}

export class TunnelView {
  #id;
  #context;
  #run = new AbortController();
  #details = null;
  #tunnel = null;
  #open = [];
  #ended = [];
  #events = [];
  #history = new History();
  #parts = {};

  constructor(id, context) {
    this.#id = id;
    this.#context = context;
    this.element = this.#build();
  }

  #build() {
    const parts = this.#parts;
    parts.name = el('h1', {}, 'Tunnel');
    parts.state = el('span', { class: 'badge' });
    parts.address = el('code', { id: 'address' });
    parts.copy = el('button', {
      type: 'button', id: 'copy', on: { click: () => this.#copy() },
    }, 'Copy');
    parts.problem = el('p', { class: 'problem', role: 'alert' });
    parts.facts = FACTS.filter(([, , kind]) => kind === undefined || kind === this.#context.kind)
      .map(([title, say]) => ({ title, say, value: el('dd') }));
    parts.chart = new Chart({
      title: 'Throughput', lines: ['in', 'out'], format: rate, top: binary,
    });
    parts.open = new Table({
      label: 'Open connections',
      columns: columnsOf('streams', this.#context.kind, ['tunnel', 'cluster']),
      // What the tunnel's protocol is, the row says.
      actions: this.#rowButtons(),
      empty: 'Nobody is connected.',
    });
    parts.ended = new Table({
      label: 'Ended connections',
      columns: [
        ...columnsOf('streams', this.#context.kind,
          ['tunnel', 'cluster', 'state', 'rate_in', 'rate_out', 'opened_at']),
        { title: 'Lasted', numeric: true, text: (it) => age(it.opened_at, it.endedAt) },
        { title: 'Ended', numeric: true, text: (it, now) => clock(it.endedAt, now) },
      ],
      empty: 'None has ended since this page was opened.',
    });
    parts.events = new Table({
      label: 'Events', columns: columnsOf('events', this.#context.kind, ['tunnel', 'cluster']),
      empty: 'Nothing happened lately.',
    });
    return el('main', { id: 'main', tabindex: '-1' },
      el('p', {}, el('a', { href: link(['tunnels']) }, '← Tunnels')),
      el('div', { class: 'head' }, parts.name, parts.state),
      el('div', { class: 'address' }, parts.address, parts.copy),
      parts.problem,
      el('dl', { class: 'facts' }, ...parts.facts.map((fact) =>
        el('div', {}, el('dt', {}, fact.title), fact.value))),
      parts.chart.element,
      el('section', {}, el('h2', {}, 'Open connections'), parts.open.element),
      el('section', {}, el('h2', {}, 'Ended connections'), parts.ended.element),
      el('section', {}, el('h2', {}, 'Events'), parts.events.element));
  }

  #rowButtons() {
    const ofStreams = buttons('streams', this.#context);
    const ofSessions = buttons('sessions', this.#context);
    return ofStreams === null
      ? null
      : (item) => (item().protocol === 'udp' ? ofSessions(item) : ofStreams(item));
  }

  start() {
    // One row of the list is told with an ETag and costs no error when it has gone.
    this.#context.poll('tunnels', { id: this.#id, limit: '1' }, LOOK, (page) => {
      this.#show(page.items[0] ?? null);
    }, this.#run.signal);
  }

  stop() {
    this.#run.abort();
    this.#details?.abort();
  }

  tick() {
    const now = this.#context.now();
    if (this.#tunnel !== null) {
      // Nothing new for a second means that it goes on as it was.
      this.#history.add(now, [this.#tunnel.rate_in, this.#tunnel.rate_out]);
      this.#parts.chart.draw(this.#history.points, now);
      this.#parts.facts.forEach(({ say, value }) => setText(value, say(this.#tunnel, now)));
    }
    this.#parts.open.show(this.#open, { now });
    this.#parts.ended.show(this.#ended, { now });
    this.#parts.events.show(this.#events, { now });
  }

  #show(tunnel) {
    this.#tunnel = tunnel;
    const { name, state, address, copy, problem } = this.#parts;
    copy.disabled = tunnel === null;
    setText(problem, tunnel === null ? 'There is no such tunnel now.' : tunnel.detail ?? '');
    if (tunnel === null) {
      setText(state, '');
      return;
    }
    setText(name, tunnel.name);
    setText(state, word(tunnel.state));
    setAttribute(state, 'class', badge(tunnel.state));
    setText(address, publicAddress(tunnel));
    if (this.#details === null) {
      this.#details = new AbortController();
      this.#watchDetails(tunnel, this.#details.signal);
    }
    this.tick();
  }

  #watchDetails(tunnel, signal) {
    const known = this.#context.kind === 'gateway' ? 'tunnel_id' : 'tunnel';
    const which = this.#context.kind === 'gateway' ? tunnel.id : tunnel.tunnel;
    const list = tunnel.protocol === 'udp' ? 'sessions' : 'streams';
    this.#context.watch(list, { [known]: which, sort: '-opened_at', limit: String(OPEN) },
      (page) => this.#connections(page), signal);
    const name = this.#context.kind === 'gateway' ? tunnel.name : tunnel.tunnel;
    this.#context.poll('events', { q: name, limit: '20' }, EVENTS_LOOK, (page) => {
      this.#events = page.items.filter((event) => event.tunnel === name
        && (event.cluster === undefined || event.cluster === tunnel.cluster));
      this.tick();
    }, signal);
  }

  #connections(page) {
    const open = new Set(page.items.map((item) => item.id));
    // Of a full page those that are not on it any more may have been pushed off by newer ones.
    const gone = page.total > page.items.length
      ? []
      : this.#open.filter((item) => !open.has(item.id));
    const endedAt = this.#context.now();
    this.#ended = [...gone.map((item) => ({ ...item, endedAt })), ...this.#ended].slice(0, ENDED);
    this.#open = page.items;
    this.tick();
  }

  async #copy() {
    const { address, copy } = this.#parts;
    let copied = true;
    try {
      await navigator.clipboard.writeText(address.textContent);
    } catch {
      // Browsers have a clipboard for pages over TLS or of this machine only.
      getSelection().selectAllChildren(address);
      copied = false;
    }
    setText(copy, copied ? 'Copied' : 'Press Ctrl+C');
    setTimeout(() => setText(copy, 'Copy'), 2_000);
  }
}
