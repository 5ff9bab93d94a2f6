/**
 * Items on their way to somebody who acknowledges them in order. At most `underWay` are taken and not
 * acknowledged; when the way breaks, the next turn begins with those, so that none is lost between turns.
 */
export class ResendQueue<Item> {
  readonly #source: AsyncIterator<Item>;
  readonly #underWay: number;
  /** Kept between turns: an item that came when its turn had ended belongs to the next one. */
  #next: Promise<IteratorResult<Item>> | undefined;
  readonly #unacknowledged: Item[] = [];
  #ended = false;
  #failure: { readonly cause: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(source: AsyncIterable<Item>, underWay: number) {
    this.#source = source[Symbol.asyncIterator]();
    this.#underWay = underWay;
  }

  /** Items to send until the turn is disposed of. Only one turn may be under way at a time. */
  turn(): Disposable & { items(): AsyncGenerator<Item> } {
    let over = false;
    return {
      items: () => this.#items(() => over),
      [Symbol.dispose]: () => {
        over = true;
        this.#wake?.();
      },
    };
  }

  /** The oldest item was acknowledged. */
  acknowledge(): Item {
    const item = this.#unacknowledged.shift();
    if (item === undefined) throw new Error("more acknowledgements came than items were sent");
    this.#wake?.();
    return item;
  }

  /** Whether all items were acknowledged. Throws what the source threw. */
  get isDone(): boolean {
    if (this.#failure !== undefined) throw this.#failure.cause;
    return this.#ended && this.#unacknowledged.length === 0;
  }

  async *#items(isOver: () => boolean): AsyncGenerator<Item> {
    yield* [...this.#unacknowledged];
    for (;;) {
      while (this.#unacknowledged.length >= this.#underWay && !isOver()) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      this.#next ??= this.#source.next();
      const next = await this.#next.catch((cause: unknown) => {
        // What came before is still sent and acknowledged; whoever waits for that is told by isDone.
        this.#failure = { cause };
        return { done: true, value: undefined } as const;
      });
      if (isOver()) return;
      this.#next = undefined;
      if (next.done) {
        this.#ended = true;
        return;
      }
      this.#unacknowledged.push(next.value);
      yield next.value;
    }
  }
}
