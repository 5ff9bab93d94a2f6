/** Callers in flight, on both sides of a comparison. */
export const inFlight = 50;

/** Connections over which our callers are spread. */
export const connections = 5;

/** Time before the time that is counted, in ms: connections open, statements are prepared. */
export const warmupMs = 1_000;
