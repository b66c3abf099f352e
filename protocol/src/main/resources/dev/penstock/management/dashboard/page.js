// A page of a list, kept up to date by what a watch tells. Pure.

/** The page after a change; the page before stays as it is. */
export function changed(page, change) {
  const items = new Map(page.items.map((item) => [item.id, item]));
  change.removed.forEach((id) => items.delete(id));
  change.changed.forEach((item) => items.set(item.id, item));
  const order = change.order ?? [...items.keys()];
  return {
    ...page,
    items: order.filter((id) => items.has(id)).map((id) => items.get(id)),
    total: change.total ?? page.total,
    unanswered: change.unanswered ?? page.unanswered,
  };
}
