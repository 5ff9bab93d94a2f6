/** What `npm start` runs Node with; the bare echo gets the same. */
export const serveNodeOptions: readonly string[] = [];
