// node --import: the TypeScript client by its package's name, from the checkout's source.
import { registerHooks } from "node:module";

const source = new URL("../../../clients/ts/src/", import.meta.url);
const entries = new Map([
  ["polytraders-governance-client", new URL("index.ts", source).href],
  ["polytraders-governance-client/v1", new URL("v1.ts", source).href],
]);
registerHooks({
  resolve: (name, context, next) => next(entries.get(name) ?? name, context),
});
