// The lists: which there are, their columns and what may be done to a row. A gateway and an agent
// have some fields that the other has not; a column without a field of either is left out.

import { age, address, bytes, clock, count, rate, text, until, word } from './format.js';
import { link } from './router.js';

const plain = (field, title) => ({ field, title, text: (item) => text(item[field]) });
const number = (field, title) => ({
  field, title, numeric: true, text: (item) => count(item[field]),
});
const amount = (field, title) => ({
  field, title, numeric: true, text: (item) => bytes(item[field]),
});
const speed = (field, title) => ({
  field, title, numeric: true, text: (item) => rate(item[field]),
});
const state = (field, title) => ({
  field, title, badge: true, text: (item) => word(item[field]),
});
const worded = (field, title) => ({ field, title, text: (item) => word(item[field]) });
const since = (field, title) => ({
  field, title, numeric: true, text: (item, now) => age(item[field], now),
});
const time = (field, title) => ({
  field, title, text: (item, now) => clock(item[field], now),
});
const only = (kind, column) => ({ ...column, only: kind });

/** Where clients of a tunnel connect to. */
export function publicAddress(tunnel) {
  return tunnel.public_address !== undefined
    ? text(tunnel.public_address)
    : address(tunnel.public_host, tunnel.public_port);
}

const TUNNEL = {
  field: 'name', title: 'Tunnel', text: (item) => item.name,
  link: (item) => link(['tunnels', item.id]),
};

/** Of a stream or session; an agent does not know the ids that its gateway has. */
const ITS_TUNNEL = {
  field: 'tunnel', title: 'Tunnel', text: (item) => item.tunnel,
  link: (item) => (item.tunnel_id
    ? link(['tunnels', item.tunnel_id])
    : link(['tunnels'], { q: item.tunnel })),
};

const CONNECTION = [
  plain('client_address', 'Client'),
  ITS_TUNNEL,
  only('gateway', plain('cluster', 'Cluster')),
  only('agent', plain('backend', 'Service')),
  state('state', 'State'),
  since('opened_at', 'Age'),
  speed('rate_in', 'Rate in'),
  speed('rate_out', 'Rate out'),
  amount('bytes_in', 'In'),
  amount('bytes_out', 'Out'),
  only('gateway', plain('node', 'Node')),
];

/** Buttons of the rows of connections, with what `Actions` does. */
const connectionActions = (list) => ({
  gateway: [
    ['Close', (actions, item) => actions.closeStream(list, item)],
    ['Ban', (actions, item) => actions.banSource(item.client_address)],
  ],
  agent: [['Close', (actions, item) => actions.closeStream(list, item)]],
});

export const LISTS = {
  nodes: {
    title: 'Nodes', of: ['gateway'], sort: 'id', empty: 'No nodes.',
    columns: [
      plain('id', 'Node'), state('state', 'State'), plain('reasons', 'Why'),
      number('agents', 'Agents'), number('links', 'Links'), number('listening', 'Ports'),
      number('open_streams', 'Streams'), number('open_sessions', 'Sessions'),
      speed('rate_in', 'Rate in'), speed('rate_out', 'Rate out'), number('refused', 'Refused'),
      since('started_at', 'Up'), plain('version', 'Version'),
    ],
    actions: { gateway: [['Drain', (actions, item) => actions.drainNode(item)]] },
  },
  agents: {
    title: 'Agents', of: ['gateway'], sort: 'agent_id', empty: 'No agents.',
    columns: [
      plain('agent_id', 'Agent'), plain('name', 'Name'), plain('hostname', 'Host'),
      plain('cluster', 'Cluster'), plain('node', 'Node'), plain('remote_address', 'From'),
      worded('kind', 'Kind'), plain('version', 'Version'), since('since', 'Since'),
    ],
    actions: {},
  },
  links: {
    title: 'Links', of: ['gateway', 'agent'], sort: 'since', empty: 'No links.',
    columns: [
      only('gateway', plain('agent_id', 'Agent')), only('gateway', plain('cluster', 'Cluster')),
      only('gateway', plain('remote_address', 'From')), only('gateway', plain('node', 'Node')),
      only('agent', plain('gateway', 'Gateway')), only('agent', plain('gateway_node', 'Node')),
      state('state', 'State'), plain('protocol', 'Protocol'),
      {
        field: 'rtt_ms', title: 'Round trip', numeric: true,
        text: (item) => (item.rtt_ms === null ? '–' : `${item.rtt_ms.toFixed(1)} ms`),
      },
      number('open_streams', 'Streams'), since('since', 'Up'),
    ],
    actions: {
      gateway: [['Close', (actions, item) => actions.closeLink(item)]],
      agent: [['Close', (actions, item) => actions.closeLink(item)]],
    },
  },
  tunnels: {
    title: 'Tunnels', of: ['gateway', 'agent'], sort: 'name', empty: 'No tunnels.',
    columns: [
      TUNNEL,
      only('gateway', plain('cluster', 'Cluster')), plain('protocol', 'Protocol'),
      { ...only('gateway', { field: 'public_port', title: 'Public address', text: publicAddress }) },
      { ...only('agent', { field: 'public_address', title: 'Public address', text: publicAddress }) },
      only('agent', plain('leads_to', 'Leads to')),
      state('state', 'State'), number('open_streams', 'Open'),
      speed('rate_in', 'Rate in'), speed('rate_out', 'Rate out'),
      amount('bytes_in', 'In'), amount('bytes_out', 'Out'), number('opened', 'Opened'),
      only('gateway', number('refused', 'Refused')), only('agent', number('failed', 'Failed')),
    ],
    actions: {},
  },
  streams: {
    title: 'Streams', of: ['gateway', 'agent'], sort: '-opened_at',
    empty: 'No open TCP connections.', columns: CONNECTION, actions: connectionActions('streams'),
  },
  sessions: {
    title: 'Sessions', of: ['gateway', 'agent'], sort: '-opened_at', empty: 'No UDP sessions.',
    columns: CONNECTION, actions: connectionActions('sessions'),
  },
  leases: {
    title: 'Leases', of: ['gateway'], sort: 'port', empty: 'No public port is held or reserved.',
    columns: [
      number('port', 'Port'), plain('protocol', 'Protocol'), worded('state', 'State'),
      plain('cluster', 'Cluster'), plain('tunnel', 'Tunnel'), plain('reserved_for', 'Reserved for'),
    ],
    actions: {
      gateway: [
        ['Release', (actions, item) => actions.releaseLease(item),
          (item) => item.state === 'held'],
        ['Reserve', (actions, item) => actions.reserveLease(item),
          (item) => item.reserved_for === null],
        ['End reservation', (actions, item) => actions.unreserveLease(item),
          (item) => item.reserved_for !== null],
      ],
    },
    more: { gateway: [['Reserve a port', (actions) => actions.reserveLease(null)]] },
  },
  bans: {
    title: 'Bans', of: ['gateway'], sort: 'expires_at', empty: 'No source is banned.',
    columns: [
      plain('source', 'Source'), plain('reason', 'Reason'), plain('by', 'By'),
      time('created_at', 'Made'),
      {
        field: 'expires_at', title: 'Ends in', numeric: true,
        text: (item, now) => until(item.expires_at, now),
      },
    ],
    actions: { gateway: [['Lift', (actions, item) => actions.liftBan(item)]] },
    more: { gateway: [['Ban a source', (actions) => actions.banSource('')]] },
  },
  events: {
    title: 'Events', of: ['gateway', 'agent'], sort: '-time', empty: 'Nothing happened lately.',
    columns: [
      time('time', 'Time'), worded('kind', 'Event'), worded('reason', 'Reason'),
      plain('tunnel', 'Tunnel'), only('gateway', plain('cluster', 'Cluster')),
      plain('address', 'Address'), plain('detail', 'Detail'),
      only('gateway', plain('node', 'Node')),
    ],
    actions: {},
  },
  audit: {
    title: 'Audit', of: ['gateway', 'agent'], sort: '-time', empty: 'Nobody did anything lately.',
    columns: [
      time('time', 'Time'), plain('who', 'Who'), plain('from', 'From'), worded('action', 'Did'),
      plain('subject', 'To'), state('outcome', 'Outcome'), plain('detail', 'Detail'),
    ],
    actions: {},
  },
};

/** The columns of a list at a gateway or an agent, but for those of some fields. */
export function columnsOf(name, kind, without = []) {
  return LISTS[name].columns.filter((column) =>
    (column.only === undefined || column.only === kind) && !without.includes(column.field));
}
