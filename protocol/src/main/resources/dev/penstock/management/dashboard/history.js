// The last minutes of some numbers. Pure.

/** As many seconds as a chart shows. */
export const SPAN = 300;

export class History {
  #points = [];

  /** Adds what was at a time in ms; what is older than the span is forgotten. */
  add(time, values) {
    const last = this.#points.at(-1);
    if (last && time - last.time < 500) {
      this.#points.pop();
    }
    this.#points.push({ time, values });
    const oldest = time - SPAN * 1000;
    const kept = this.#points.findIndex((point) => point.time >= oldest);
    this.#points.splice(0, kept);
  }

  get points() {
    return this.#points;
  }
}
