// Reads server-sent events from pieces of text. `EventSource` cannot send a token, so the page
// reads the stream of `fetch` itself. Pure.

/** What an event may have; a page of 500 rows is far below. */
const MAX_EVENT = 4 * 1024 * 1024;

export class EventParser {
  #rest = '';
  #event = 'message';
  #data = [];
  #size = 0;
  #onEvent;

  /** @param onEvent is called with the name and the data of each event */
  constructor(onEvent) {
    this.#onEvent = onEvent;
  }

  /** Takes the next piece, wherever it was cut. Throws when an event does not end. */
  feed(piece) {
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop();
    this.#size += piece.length;
    for (const line of lines) {
      this.#line(line.endsWith('\r') ? line.slice(0, -1) : line);
    }
    if (this.#size > MAX_EVENT) {
      throw new Error('an event is too long');
    }
  }

  #line(line) {
    if (line === '') {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') {
      this.#event = value;
    } else if (field === 'data') {
      this.#data.push(value);
    }
  }

  #dispatch() {
    const data = this.#data;
    const event = this.#event;
    this.#data = [];
    this.#event = 'message';
    this.#size = this.#rest.length;
    if (data.length > 0) {
      this.#onEvent(event, data.join('\n'));
    }
  }
}
