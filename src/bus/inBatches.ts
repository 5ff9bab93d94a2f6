/**
 * What comes, as many at a time as are there: nobody waits for company, and a crowd goes together. No more is taken
 * than is asked for.
 */
export async function* inBatches<Item>(
  items: AsyncIterable<Item>,
  maxItems: number,
): AsyncGenerator<readonly [Item, ...Item[]]> {
  const incoming = items[Symbol.asyncIterator]();
  const take = () => {
    const taken = incoming.next();
    taken.catch(() => undefined); // Who waits for it is told; meanwhile nobody does.
    return taken;
  };
  let next = take();
  for (;;) {
    const first = await next;
    if (first.done) return;
    const batch: [Item, ...Item[]] = [first.value];
    next = take();
    while (batch.length < maxItems) {
      const more = await Promise.race([next, aTurn()]);
      if (more === undefined || more.done) break;
      batch.push(more.value);
      next = take();
    }
    yield batch;
  }
}

/** What is there already comes before this. */
function aTurn(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(() => resolve(undefined)));
}
