// What is connected, what flows and what was refused, in one look.

import { LISTS, columnsOf } from './catalogue.js';
import { Chart, binary, decimal } from './chart.js';
import { el, setText, svg } from './dom.js';
import { bytes, count, rate, word } from './format.js';
import { link } from './router.js';
import { Table } from './table.js';

const LOOK = 2_000;
const BUSIEST = 8;
const EVENTS = 10;

const TILES = {
  gateway: [
    ['nodes', 'Nodes', 'nodes', (it) => `${count(it.nodes_ready)} of ${count(it.nodes)}`],
    ['agents', 'Agents', 'agents', (it) => count(it.agents)],
    ['links', 'Links', 'links', (it) => count(it.links)],
    ['tunnels', 'Tunnels', 'tunnels', (it) => count(it.tunnels)],
    ['open_streams', 'Open streams', 'streams', (it) => count(it.open_streams)],
    ['open_sessions', 'UDP sessions', 'sessions', (it) => count(it.open_sessions)],
    ['refused', 'Refused', 'events', (it) => count(it.refused)],
    ['bans', 'Banned sources', 'bans', (it) => count(it.bans)],
  ],
  agent: [
    ['links', 'Links', 'links', (it) => count(it.links)],
    ['tunnels', 'Tunnels registered', 'tunnels',
      (it) => `${count(it.tunnels_registered)} of ${count(it.tunnels)}`],
    ['open_streams', 'Open streams', 'streams', (it) => count(it.open_streams)],
    ['open_sessions', 'UDP sessions', 'sessions', (it) => count(it.open_sessions)],
    ['opened', 'Opened', 'streams', (it) => count(it.opened)],
    ['failed', 'Failed', 'events', (it) => count(it.failed)],
  ],
};

const REASONS = {
  gateway: [
    ['refused_by_reason', 'Clients refused', 'No client was refused.'],
    ['rejected_by_reason', 'Peers refused', 'No peer was refused.'],
    ['ended_by_reason', 'Streams ended', 'No stream has ended.'],
  ],
  agent: [
    ['failed_by_reason', 'Service not reached', 'Every service was reached.'],
    ['ended_by_reason', 'Streams ended', 'No stream has ended.'],
  ],
};

export class Overview {
  #context;
  #tiles = new Map();
  #reasons = new Map();
  #throughput = new Chart({
    title: 'Throughput', lines: ['in', 'out'], format: rate, top: binary,
  });
  #connections = new Chart({
    title: 'Open connections', lines: ['streams', 'sessions'], format: count, top: decimal,
  });
  #totals = el('p', { class: 'hint' });
  #busiest;
  #events;
  #shownEvents = [];
  #run = new AbortController();

  constructor(context) {
    this.#context = context;
    this.#busiest = new Table({
      label: 'Busiest tunnels',
      columns: columnsOf('tunnels', context.kind,
        ['protocol', 'bytes_in', 'bytes_out', 'opened', 'refused', 'failed', 'leads_to']),
      empty: LISTS.tunnels.empty,
    });
    this.#events = new Table({
      label: 'Latest events', columns: columnsOf('events', context.kind, ['cluster', 'node']),
      empty: LISTS.events.empty,
    });
    const tiles = TILES[context.kind].map(([field, title, list]) => {
      const value = el('strong');
      this.#tiles.set(field, value);
      return el('a', { class: 'tile', href: link([list]) }, value, el('span', {}, title));
    });
    const reasons = REASONS[context.kind].map(([field, title, none]) => {
      const table = new Reasons(title, none);
      this.#reasons.set(field, table);
      return table.element;
    });
    this.element = el('main', { id: 'main', tabindex: '-1' },
      el('h1', {}, 'Overview'),
      el('div', { class: 'tiles' }, ...tiles),
      el('div', { class: 'columns' }, this.#throughput.element, this.#connections.element),
      this.#totals,
      el('div', { class: 'columns' }, ...reasons),
      el('section', {}, el('h2', {}, 'Busiest tunnels'), this.#busiest.element),
      el('section', {}, el('h2', {}, 'Latest events'), this.#events.element));
  }

  start() {
    const signal = this.#run.signal;
    this.#context.poll('tunnels', { sort: '-rate_out,-rate_in', limit: String(BUSIEST) }, LOOK,
      (page) => this.#busiest.show(page.items, { now: this.#context.now() }), signal);
    this.#context.poll('events', { limit: String(EVENTS) }, LOOK, (page) => {
      this.#shownEvents = page.items;
      this.tick();
    }, signal);
    this.summary(this.#context.summary());
  }

  stop() {
    this.#run.abort();
  }

  tick() {
    this.#events.show(this.#shownEvents, { now: this.#context.now() });
  }

  /** Shows what is known now; null while nothing is. */
  summary(summary) {
    if (summary === null) {
      return;
    }
    TILES[this.#context.kind].forEach(([field, , , say]) =>
      setText(this.#tiles.get(field), say(summary)));
    const now = this.#context.now();
    const points = this.#context.history.points;
    this.#throughput.draw(
      points.map(({ time, values }) => ({ time, values: values.slice(0, 2) })), now);
    this.#connections.draw(
      points.map(({ time, values }) => ({ time, values: values.slice(2) })), now);
    setText(this.#totals, `${bytes(summary.bytes_in)} in and ${bytes(summary.bytes_out)} out, `
      + `${count(summary.opened)} connections since the start.`);
    this.#reasons.forEach((table, field) => table.show(summary[field]));
  }
}

/** How often something happened, by reason, the most frequent first. */
class Reasons {
  #list = el('dl', { class: 'reasons' });
  #empty;
  #shown = '';

  constructor(title, none) {
    this.#empty = el('p', { class: 'empty' }, none);
    this.element = el('section', { class: 'card' }, el('h2', {}, title), this.#list, this.#empty);
  }

  show(counts) {
    const shown = JSON.stringify(counts);
    if (shown === this.#shown) {
      return;
    }
    this.#shown = shown;
    const entries = Object.entries(counts).filter(([, value]) => value > 0)
      .sort(([, one], [, other]) => other - one);
    const most = Math.max(1, ...entries.map(([, value]) => value));
    this.#list.replaceChildren(...entries.map(([reason, value]) => {
      const bar = svg('svg', { class: 'share', viewBox: '0 0 100 10', 'aria-hidden': 'true',
        preserveAspectRatio: 'none' },
      svg('rect', { width: String(100 * value / most), height: '10' }));
      return el('div', {}, el('dt', {}, word(reason)), el('dd', {}, bar, count(value)));
    }));
    this.#list.hidden = entries.length === 0;
    this.#empty.hidden = entries.length > 0;
  }
}
