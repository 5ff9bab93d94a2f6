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
  };
  /** The oldest first. */
  const arriving = new Set<Request>();
  let heldBytes = 0;

  function refuse(request: Request, why: "too much" | "too late"): void {
    request.done();
    request.refuse(why);
  }

  function refuseOldestLarge(): void {
    for (const request of arriving) {
      if (request.bytes < smallBytes) continue;
      refuse(request, "too much");
      return;
    }
  }

  const sweeping = setInterval(() => {
    const lateMs = performance.now() - limits.requestWithinMs;
    for (const request of arriving) {
      if (request.sinceMs > lateMs) return;
      refuse(request, "too late");
    }
  }, limits.requestWithinMs / 4).unref();

  return {
    begun(refuse) {
      const request: Request = {
        sinceMs: performance.now(),
        refuse,
        bytes: 0,
        came(bytes) {
          if (!arriving.has(request)) return;
          request.bytes += bytes;
          heldBytes += bytes;
          if (heldBytes > limits.arrivingMaxBytes) refuseOldestLarge();
        },
        done() {
          if (arriving.delete(request)) heldBytes -= request.bytes;
        },
      };
      arriving.add(request);
      return request;
    },
    [Symbol.dispose]: () => clearInterval(sweeping),
  };
}
