// Where in the page somebody is: `#/tunnels?sort=-rate_out`. Behind the `#`, so that it is sent to
// nobody. Pure but for `go` and `here`.

/** What an address means: the steps of its path and its parameters. */
export function parse(hash) {
  const [path, query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const steps = path.split('/').filter((step) => step !== '').map(decoded);
  return { steps, parameters: Object.fromEntries(new URLSearchParams(query)) };
}

function decoded(step) {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}

/** The address of a place; parameters without a value are left out. */
export function link(steps, parameters = {}) {
  const said = Object.entries(parameters).filter(([, value]) => value);
  const query = new URLSearchParams(said).toString();
  return `#/${steps.map(encodeURIComponent).join('/')}${query ? `?${query}` : ''}`;
}

export function here() {
  return parse(location.hash);
}

/** Remembers what is looked at without a step in the browser's history. */
export function replace(steps, parameters) {
  history.replaceState(null, '', link(steps, parameters));
}
