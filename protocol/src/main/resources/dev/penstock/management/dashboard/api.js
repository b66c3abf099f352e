// Calls the management API: looks, watches and acts. The token is sent in a header and kept for
// the tab alone; it is never part of an address.

import { changed } from './page.js';
import { EventParser } from './sse.js';

const TOKEN = 'penstock.token';

/** A watch without so much as a comment for this long is dead; one comes every 15 s. */
const SILENCE = 40_000;
const SHORTEST_WAIT = 1_000;
const LONGEST_WAIT = 15_000;

/** What the API refused, in its own words. */
export class Problem extends Error {
  constructor(status, detail, retryAfter = 0) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export class Api {
  #onUnauthorized = () => {};

  /** Says what is done when the token is missing or wrong. */
  whenUnauthorized(listener) {
    this.#onUnauthorized = listener;
  }

  get hasToken() {
    return sessionStorage.getItem(TOKEN) !== null;
  }

  set token(token) {
    if (token === null) {
      sessionStorage.removeItem(TOKEN);
    } else {
      sessionStorage.setItem(TOKEN, token);
    }
  }

  async #send(path, parameters, { method = 'GET', headers = {}, body, signal } = {}) {
    const query = new URLSearchParams(parameters).toString();
    const token = sessionStorage.getItem(TOKEN);
    const response = await fetch(`/api/v1/${path}${query ? `?${query}` : ''}`, {
      method,
      headers: token === null ? headers : { ...headers, Authorization: `Bearer ${token}` },
      body,
      signal,
      cache: 'no-store',
      credentials: 'same-origin',
      redirect: 'error',
    });
    if (response.ok || response.status === 304) {
      return response;
    }
    const problem = await response.json().catch(() => ({}));
    if (response.status === 401) {
      this.#onUnauthorized();
    }
    throw new Problem(
      response.status,
      problem.detail ?? `HTTP ${response.status}`,
      Number(response.headers.get('Retry-After') ?? 0) * 1000,
    );
  }

  /** One answer. */
  async get(path, parameters = {}, signal = undefined) {
    return (await this.#send(path, parameters, { signal })).json();
  }

  /** Does something; the header says that it was no other page's wish. */
  async act(method, path, body = undefined) {
    const headers = { 'Penstock-Action': 'dashboard' };
    if (body !== undefined) {
      headers['Content-Type'] = 'application/json';
    }
    const text = body === undefined ? undefined : JSON.stringify(body);
    return (await this.#send(path, {}, { method, headers, body: text })).json();
  }

  /** Looks again and again until the signal; an answer that is the same is not told again. */
  async poll(path, parameters, interval, { onData, onState = () => {} }, signal) {
    let etag = null;
    let failures = 0;
    while (!signal.aborted) {
      let wait = interval;
      try {
        const headers = etag === null ? {} : { 'If-None-Match': etag };
        const response = await this.#send(path, parameters, { headers, signal });
        if (response.status !== 304) {
          etag = response.headers.get('ETag');
          const answer = await response.json();
          if (!signal.aborted) {
            onData(answer);
          }
        }
        failures = 0;
        onState(null);
      } catch (problem) {
        if (signal.aborted || problem.status === 401) {
          return;
        }
        onState(problem);
        wait = Math.max(wait, waitAfter(++failures, problem));
      }
      await pause(wait, signal);
    }
  }

  /** Watches until the signal: `onData` gets the whole page after every change. */
  async watch(path, parameters, { onData, onState = () => {} }, signal) {
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.#watchOnce(
          path,
          parameters,
          (page) => {
            failures = 0;
            onState(null);
            onData(page);
          },
          signal,
        );
        // It has run for as long as the server lets one.
        await pause(SHORTEST_WAIT, signal);
      } catch (problem) {
        if (signal.aborted || problem.status === 401) {
          return;
        }
        onState(problem);
        await pause(waitAfter(++failures, problem), signal);
      }
    }
  }

  async #watchOnce(path, parameters, onPage, signal) {
    const attempt = new AbortController();
    const give = () => attempt.abort();
    signal.addEventListener('abort', give);
    let silence = setTimeout(give, SILENCE);
    try {
      const response = await this.#send(
        path,
        { ...parameters, watch: 'true' },
        { signal: attempt.signal },
      );
      let page = null;
      const parser = new EventParser((event, data) => {
        const told = JSON.parse(data);
        page = event === 'change' ? changed(page, told) : told;
        if (!signal.aborted) {
          onPage(page);
        }
      });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) {
          return;
        }
        clearTimeout(silence);
        silence = setTimeout(give, SILENCE);
        parser.feed(value);
      }
    } finally {
      clearTimeout(silence);
      signal.removeEventListener('abort', give);
      attempt.abort();
    }
  }
}

/** Longer each time, and not the same for everybody who lost the same server. */
function waitAfter(failures, problem) {
  const longest = Math.min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** Math.min(failures, 6));
  return Math.max(problem.retryAfter ?? 0, longest * (0.5 + Math.random() / 2));
}

function pause(millis, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, millis);
    signal.addEventListener('abort', end);
  });
}
