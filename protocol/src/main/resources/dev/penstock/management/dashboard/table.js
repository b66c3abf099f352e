// A table whose rows stay where they are while their values change: a row is made once, and only
// cells whose text is another one are written.

import { el, setAttribute, setText } from './dom.js';

/** Words of the API that have a colour. */
const TONES = {
  ready: 'good', up: 'good', open: 'good', listening: 'good', registered: 'good', done: 'good',
  starting: 'warn', silent: 'warn', draining: 'warn', dialling: 'warn', registering: 'warn',
  not_ready: 'bad', unreachable: 'bad', not_listening: 'bad', refused: 'bad',
};

export class Table {
  #columns;
  #rows = new Map();
  #body;
  #heads = new Map();
  #empty;

  /**
   * @param label what the table is called by screen readers
   * @param columns see `catalogue.js`
   * @param onSort is called with the name of a column; null where nothing can be sorted
   * @param actions makes the buttons of a row once; null where there are none
   */
  constructor({ label, columns, onSort = null, actions = null, empty = 'Nothing.' }) {
    this.#columns = actions === null ? columns : [...columns, { title: 'Actions', actions }];
    const heads = this.#columns.map((column) => this.#head(column, onSort));
    this.#body = el('tbody', { role: 'rowgroup' });
    // Whether there is anything is not known yet.
    this.#empty = el('p', { class: 'empty', hidden: true }, empty);
    this.element = el('div', { class: 'table' },
      el('table', { role: 'table', 'aria-label': label },
        el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...heads)),
        this.#body),
      this.#empty);
  }

  #head(column, onSort) {
    const head = el('th', {
      scope: 'col', role: 'columnheader', class: column.numeric ? 'number' : null,
    });
    if (onSort !== null && column.field) {
      head.append(el('button', {
        class: 'sort', type: 'button', on: { click: () => onSort(column.field) },
      }, column.title));
      this.#heads.set(column.field, head);
    } else {
      head.append(column.title);
    }
    return head;
  }

  /** Shows the items in their order. */
  show(items, { sort = '', now = Date.now() } = {}) {
    this.#heads.forEach((head, field) => {
      const order = sort === field ? 'ascending' : sort === `-${field}` ? 'descending' : 'none';
      setAttribute(head, 'aria-sort', order);
    });
    const shown = new Set(items.map((item) => item.id));
    this.#rows.forEach((row, id) => {
      if (!shown.has(id)) {
        row.element.remove();
        this.#rows.delete(id);
      }
    });
    let place = this.#body.firstChild;
    for (const item of items) {
      const row = this.#rows.get(item.id) ?? this.#made(item);
      row.item = item;
      row.cells.forEach((cell) => cell(item, now));
      if (row.element === place) {
        place = place.nextSibling;
      } else {
        this.#body.insertBefore(row.element, place);
      }
    }
    this.#empty.hidden = items.length > 0;
  }

  #made(item) {
    const row = { item, cells: [] };
    const cells = this.#columns.map((column) => {
      const cell = el('td', {
        role: 'cell', 'data-label': column.title, class: column.numeric ? 'number' : null,
      });
      if (column.actions) {
        cell.classList.add('actions');
        // The row as it is when somebody presses, not as it was when the button was made.
        for (const { button, update } of column.actions(() => row.item)) {
          cell.append(button);
          row.cells.push(update);
        }
      } else {
        row.cells.push(writer(column, cell));
      }
      return cell;
    });
    row.element = el('tr', { role: 'row' }, ...cells);
    this.#rows.set(item.id, row);
    return row;
  }
}

/** What writes one cell. */
function writer(column, cell) {
  let target = cell;
  if (column.link) {
    target = cell.appendChild(el('a'));
  } else if (column.badge) {
    target = cell.appendChild(el('span', { class: 'badge' }));
  }
  return (item, now) => {
    setText(target, column.text(item, now));
    if (column.link) {
      setAttribute(target, 'href', column.link(item));
    } else if (column.badge) {
      setAttribute(target, 'class', badge(item[column.field]));
    }
  };
}

/** The class of a word with a colour. */
export function badge(value) {
  return `badge ${Object.hasOwn(TONES, value) ? TONES[value] : ''}`.trim();
}
