// What an operator may do, each after a question that says what will happen.

import { el } from './dom.js';
import { hostOf } from './format.js';

const DURATIONS = { 600: '10 minutes', 3600: '1 hour', 86400: '1 day', 604800: '7 days' };

export class Actions {
  #api;
  #tell;

  /** @param tell shows a line: `tell(text, 'good' or 'bad')` */
  constructor(api, tell) {
    this.#api = api;
    this.#tell = tell;
  }

  closeStream(list, stream) {
    return this.#ask({
      title: `Close the connection of ${stream.client_address ?? stream.id}?`,
      text: `The client and the service of ${stream.tunnel} are reset. The client may connect again.`,
      button: 'Close it',
      run: () => this.#api.act('POST', `${list}/${encodeURIComponent(stream.id)}/close`),
    });
  }

  closeLink(link) {
    return this.#ask({
      title: `Close the link from ${link.remote_address ?? link.gateway}?`,
      text: `${link.open_streams} connections on it are cut. The agent dials again by itself.`,
      button: 'Close it',
      run: () => this.#api.act('POST', `links/${encodeURIComponent(link.id)}/close`),
    });
  }

  drainNode(node) {
    return this.#ask({
      title: `Drain the node ${node.id}?`,
      text: 'It takes no new connections, waits for those that are open and ends, as with SIGTERM. '
        + 'This cannot be taken back.',
      button: 'Drain it',
      run: () => this.#api.act('POST', `nodes/${encodeURIComponent(node.id)}/drain`),
    });
  }

  releaseLease(lease) {
    return this.#ask({
      title: `Release ${lease.protocol} port ${lease.port}?`,
      text: `The tunnel ${lease.tunnel} ends. An agent that still wants the port registers anew.`,
      button: 'Release it',
      run: () => this.#api.act('POST', `leases/${encodeURIComponent(lease.id)}/release`),
    });
  }

  /** @param lease whose port it is; null lets people type one */
  reserveLease(lease) {
    const protocol = el('select', { id: 'lease-protocol' },
      ...['tcp', 'udp'].map((name) =>
        el('option', { value: name, selected: name === lease?.protocol }, name)));
    const port = el('input', {
      id: 'lease-port', type: 'number', min: '1', max: '65535', required: true,
      value: lease?.port ?? '',
    });
    const cluster = el('input', {
      id: 'lease-cluster', required: true, maxlength: '100', autocomplete: 'off',
      spellcheck: 'false', value: lease?.cluster ?? '',
    });
    return this.#ask({
      title: 'Reserve a public port?',
      text: 'Only agents of the cluster are given the port, until the reservation is ended.',
      fields: [
        el('label', { for: 'lease-protocol' }, 'Protocol'), protocol,
        el('label', { for: 'lease-port' }, 'Port'), port,
        el('label', { for: 'lease-cluster' }, 'Cluster'), cluster,
      ],
      button: 'Reserve it',
      run: () => this.#api.act(
        'PUT', `leases/${protocol.value}-${port.value}/reservation`,
        { cluster: cluster.value.trim() }),
    });
  }

  unreserveLease(lease) {
    return this.#ask({
      title: `End the reservation of ${lease.protocol} port ${lease.port}?`,
      text: `Any cluster may have it then, not only ${lease.reserved_for}.`,
      button: 'End it',
      run: () => this.#api.act('DELETE', `leases/${encodeURIComponent(lease.id)}/reservation`),
    });
  }

  liftBan(ban) {
    return this.#ask({
      title: `Lift the ban of ${ban.source}?`,
      text: 'The source may connect again, to every tunnel.',
      button: 'Lift it',
      run: () => this.#api.act('DELETE', `bans/${encodeURIComponent(ban.id)}`),
    });
  }

  /** @param address of a client, with its port; `''` lets people type one */
  banSource(address) {
    const source = el('input', {
      id: 'ban-source', value: address ? hostOf(address) : '', required: true, maxlength: '50',
      autocomplete: 'off', spellcheck: 'false',
    });
    const seconds = el('select', { id: 'ban-seconds' },
      ...Object.entries(DURATIONS).map(([value, label]) =>
        el('option', { value, selected: value === '3600' }, label)));
    const reason = el('input', { id: 'ban-reason', maxlength: '200', autocomplete: 'off' });
    return this.#ask({
      title: 'Ban a source?',
      text: 'No tunnel serves it, on any node, until the time is over. What it has open is closed.',
      fields: [
        el('label', { for: 'ban-source' }, 'Address or network'), source,
        el('label', { for: 'ban-seconds' }, 'For'), seconds,
        el('label', { for: 'ban-reason' }, 'Reason'), reason,
      ],
      button: 'Ban it',
      run: () => this.#api.act('POST', 'bans', {
        source: source.value.trim(),
        seconds: Number(seconds.value),
        ...(reason.value ? { reason: reason.value } : {}),
      }),
    });
  }

  #ask({ title, text, fields = [], button, run }) {
    const problem = el('p', { class: 'problem', role: 'alert' });
    const yes = el('button', { type: 'submit', class: 'danger', id: 'confirm' }, button);
    const no = el('button', { type: 'button', id: 'cancel' }, 'Cancel');
    const form = el('form', {},
      el('h2', { id: 'question' }, title), el('p', {}, text), ...fields, problem,
      el('div', { class: 'buttons' }, no, yes));
    const dialog = el('dialog', { 'aria-labelledby': 'question' }, form);
    no.addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => dialog.remove());
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      yes.disabled = true;
      try {
        const done = await run();
        this.#tell(done.detail ?? done.outcome ?? 'done', 'good');
        dialog.close();
      } catch (refused) {
        problem.textContent = refused.message;
        yes.disabled = false;
      }
    });
    document.body.append(dialog);
    dialog.showModal();
    (fields.length > 0 ? fields[1] : no).focus();
  }
}
