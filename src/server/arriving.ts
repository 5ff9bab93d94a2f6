export type ArrivingLimits = {
  /** What all requests of a listener that have not come whole may hold together, bytes. */
  readonly arrivingMaxBytes: number;
  /** A request has to come whole within this. */
  readonly requestWithinMs: number;
};

/** A request of one message that has begun to arrive. */
export type ArrivingRequest = { came(bytes: number): void; done(): void };

export type Arriving = Disposable & {
  /** Calls back, once at most, when the request is not to be read on. */
  begun(refuse: (why: "too much" | "too late") => void): ArrivingRequest;
};

/** Up to HTTP/2's first window a request is too small to be let go. */
const smallBytes = 64 * 1024;

/**
 * Bounds what requests hold before they are whole; over gRPC that is before anybody knows whose they are: grpc-js
 * reads a request before it asks a handler. Over the bound the oldest large one has to go.
 */
export function createArriving(limits: ArrivingLimits): Arriving {
  type Request = ArrivingRequest & {
    readonly sinceMs: number;
    readonly refuse: (why: "too much" | "too late") => void;
    bytes: number;
    isArriving: boolean;
    older: Request | undefined;
    newer: Request | undefined;
  };
  // A list through the requests themselves. A Set that is added to and deleted from all the time leaves tables behind
  // that point to one another: each keeps the calls that it once had alive for the young generation's collector.
  let oldest: Request | undefined;
  let newest: Request | undefined;
  let heldBytes = 0;

  function add(request: Request): void {
    request.older = newest;
    if (newest === undefined) oldest = request;
    else newest.newer = request;
    newest = request;
  }

  function remove(request: Request): void {
    const { older, newer } = request;
    if (older === undefined) oldest = newer;
    else older.newer = newer;
    if (newer === undefined) newest = older;
    else newer.older = older;
    request.older = undefined;
    request.newer = undefined;
    request.isArriving = false;
  }

  function refuse(request: Request, why: "too much" | "too late"): void {
    request.done();
    request.refuse(why);
  }

  function refuseOldestLarge(): void {
    let request = oldest;
    while (request !== undefined && request.bytes < smallBytes) request = request.newer;
    if (request !== undefined) refuse(request, "too much");
  }

  const sweeping = setInterval(() => {
    const lateMs = performance.now() - limits.requestWithinMs;
    while (oldest !== undefined && oldest.sinceMs <= lateMs) refuse(oldest, "too late");
  }, limits.requestWithinMs / 4).unref();

  return {
    begun(refuse) {
      const request: Request = {
        sinceMs: performance.now(),
        refuse,
        bytes: 0,
        isArriving: true,
        older: undefined,
        newer: undefined,
        came(bytes) {
          if (!request.isArriving) return;
          request.bytes += bytes;
          heldBytes += bytes;
          if (heldBytes > limits.arrivingMaxBytes) refuseOldestLarge();
        },
        done() {
          if (!request.isArriving) return;
          remove(request);
          heldBytes -= request.bytes;
        },
      };
      add(request);
      return request;
    },
    [Symbol.dispose]: () => clearInterval(sweeping),
  };
}
