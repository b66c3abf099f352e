// A line chart of the last minutes, drawn once a second. What it shows is also said in words.

import { el, setAttribute, setText, svg } from './dom.js';
import { SPAN } from './history.js';

const WIDTH = 600;
const HEIGHT = 140;

/** Longer without a point than this is a gap: nobody looked. */
const GAP = 5_000;

export class Chart {
  #lines;
  #scale;
  #legend;
  #format;
  #drawing;

  #top;

  /**
   * @param lines a name for each of the values
   * @param format of a value for people
   * @param top the round number above a value: `decimal` or `binary`
   */
  constructor({ title, lines, format, top }) {
    this.#format = format;
    this.#top = top;
    this.#lines = lines.map((_, i) => svg('path', { class: `line line${i}` }));
    this.#scale = el('span', { class: 'scale' });
    this.#legend = lines.map((name, i) => {
      const value = el('strong');
      const key = el('span', { class: `key key${i}`, 'aria-hidden': 'true' });
      return { value, element: el('span', { class: 'legend' }, key, ` ${name} `, value) };
    });
    const grid = [0.25, 0.5, 0.75].map((part) =>
      svg('path', { class: 'grid', d: `M0 ${HEIGHT * part}H${WIDTH}` }));
    this.#drawing = svg('svg', {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img',
      'aria-label': title,
    }, ...grid, ...this.#lines);
    this.element = el('figure', { class: 'chart' },
      el('figcaption', {}, el('span', { class: 'title' }, title),
        ...this.#legend.map((entry) => entry.element)),
      el('div', { class: 'plot' }, this.#scale, this.#drawing),
      el('div', { class: 'axis', 'aria-hidden': 'true' },
        el('span', {}, `${SPAN / 60} min ago`), el('span', {}, 'now')));
  }

  /** Draws points of a `History` whose values are as many as there are lines. */
  draw(points, now) {
    const most = Math.max(1, ...points.map((point) => Math.max(...point.values)));
    const top = this.#top(most);
    this.#lines.forEach((line, i) => setAttribute(line, 'd', path(points, i, top, now)));
    setText(this.#scale, this.#format(top));
    const last = points.at(-1);
    this.#legend.forEach((entry, i) =>
      setText(entry.value, last ? this.#format(last.values[i]) : '–'));
  }
}

/** One, two, five or ten of a power of ten: whatever is above. */
export function decimal(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((part) => part * power).find((rounded) => rounded >= value);
}

/** The power of two above, at least one KiB. */
export function binary(value) {
  return Math.max(1024, 2 ** Math.ceil(Math.log2(value)));
}

function path(points, line, top, now) {
  let before = null;
  return points.map((point) => {
    const x = WIDTH * (1 - (now - point.time) / (SPAN * 1000));
    const y = HEIGHT - (HEIGHT - 4) * (point.values[line] / top) - 2;
    const step = before !== null && point.time - before < GAP ? 'L' : 'M';
    before = point.time;
    return `${step}${x.toFixed(1)} ${y.toFixed(1)}`;
  }).join('');
}
