// A view of one list: filtered, sorted and cut into pages by the API, so that it is as quick with
// ten thousand rows as with ten.

import { LISTS, columnsOf } from './catalogue.js';
import { el, setText } from './dom.js';
import { count } from './format.js';
import { replace } from './router.js';
import { Table } from './table.js';

const PAGE = 50;

/** People type faster than anybody wants to read. */
const TYPING = 250;

/** What makes the buttons of a row; null where nothing may be done. */
export function buttons(list, context) {
  const known = LISTS[list].actions[context.kind];
  if (!known || !context.mayOperate) {
    return null;
  }
  // Each with what hides it where it makes no sense for the row as it is now.
  return (item) => known.map(([label, act, may]) => {
    const button = el('button', {
      type: 'button', class: 'small', on: { click: () => act(context.actions, item()) },
    }, label);
    return { button, update: () => { button.hidden = may !== undefined && !may(item()); } };
  });
}

export class ListView {
  #name;
  #context;
  #parameters;
  /** Cursors of the pages before this one and of this one; the first page has none. */
  #cursors = [''];
  #page = null;
  #run = null;
  #typing = 0;
  #parts = {};

  constructor(name, context, parameters) {
    this.#name = name;
    this.#context = context;
    this.#parameters = { sort: LISTS[name].sort, ...parameters };
    this.element = this.#build();
  }

  #build() {
    const list = LISTS[this.#name];
    const more = this.#context.mayOperate ? list.more?.[this.#context.kind] ?? [] : [];
    const parts = this.#parts;
    parts.filter = el('input', {
      id: 'filter', type: 'search', value: this.#parameters.q ?? '', autocomplete: 'off',
      spellcheck: 'false', placeholder: 'Filter', 'aria-label': `Filter ${list.title}`,
      maxlength: '200', 'aria-keyshortcuts': '/',
      on: { input: () => this.#typed() },
    });
    parts.sort = el('select', {
      id: 'sort', 'aria-label': 'Sort by', class: 'narrow-only',
      on: { change: () => this.#sortBy(parts.sort.value) },
    }, ...columnsOf(this.#name, this.#context.kind).flatMap((column) => [
      el('option', { value: column.field }, `${column.title} ↑`),
      el('option', { value: `-${column.field}` }, `${column.title} ↓`),
    ]));
    parts.table = new Table({
      label: list.title,
      columns: columnsOf(this.#name, this.#context.kind),
      onSort: (field) => this.#sort(field),
      actions: buttons(this.#name, this.#context),
      empty: list.empty,
    });
    parts.place = el('span', { class: 'place', role: 'status' });
    parts.before = el('button', { type: 'button', on: { click: () => this.#turn(-1) } }, 'Previous');
    parts.after = el('button', { type: 'button', on: { click: () => this.#turn(1) } }, 'Next');
    parts.missing = el('p', { class: 'problem', role: 'alert' });
    return el('main', { id: 'main', tabindex: '-1' },
      el('div', { class: 'head' }, el('h1', {}, list.title), parts.filter, parts.sort,
        ...more.map(([label, act]) => el('button', {
          type: 'button', on: { click: () => act(this.#context.actions) },
        }, label))),
      parts.missing,
      parts.table.element,
      el('nav', { class: 'pager', 'aria-label': 'Pages' }, parts.before, parts.place, parts.after));
  }

  start() {
    this.#watch();
  }

  stop() {
    this.#run?.abort();
    clearTimeout(this.#typing);
  }

  /** Once a second: ages go on without news. */
  tick() {
    if (this.#page !== null) {
      this.#show();
    }
  }

  #watch() {
    this.#run?.abort();
    this.#run = new AbortController();
    const cursor = this.#cursors.at(-1);
    const { sort, ...filters } = this.#parameters;
    const query = { ...filters, sort, limit: String(PAGE), ...(cursor ? { cursor } : {}) };
    this.#context.watch(this.#name, query, (page) => {
      this.#page = page;
      this.#show();
    }, this.#run.signal);
  }

  #show() {
    const { table, place, before, after, missing, sort } = this.#parts;
    const page = this.#page;
    table.show(page.items, { sort: this.#parameters.sort, now: this.#context.now() });
    sort.value = this.#parameters.sort;
    const first = (this.#cursors.length - 1) * PAGE;
    setText(place, page.items.length === 0
      ? `0 of ${count(page.total)}`
      : `${count(first + 1)}–${count(first + page.items.length)} of ${count(page.total)}`);
    before.disabled = this.#cursors.length === 1;
    after.disabled = page.next_cursor === null && first + page.items.length >= page.total;
    setText(missing, page.unanswered.length === 0
      ? ''
      : `Without ${page.unanswered.join(', ')}, which did not answer.`);
  }

  #turn(step) {
    if (step < 0) {
      this.#cursors.pop();
    } else if (this.#page?.next_cursor) {
      this.#cursors.push(this.#page.next_cursor);
    }
    this.#watch();
  }

  #typed() {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => {
      this.#again({ ...this.#parameters, q: this.#parts.filter.value.trim() });
    }, TYPING);
  }

  /** Once ascending, then the other way; numbers begin with the largest. */
  #sort(field) {
    const numeric = columnsOf(this.#name, this.#context.kind)
      .find((column) => column.field === field)?.numeric;
    const [first, second] = numeric ? [`-${field}`, field] : [field, `-${field}`];
    this.#sortBy(this.#parameters.sort === first ? second : first);
  }

  #sortBy(sort) {
    this.#again({ ...this.#parameters, sort });
  }

  #again(parameters) {
    this.#parameters = Object.fromEntries(Object.entries(parameters).filter(([, value]) => value));
    this.#cursors = [''];
    replace([this.#name], this.#parameters);
    this.#watch();
  }
}
