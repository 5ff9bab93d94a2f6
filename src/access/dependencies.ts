import type { KeyObject } from "node:crypto";
import type pg from "pg";
import type { Replicas } from "../log/replicas.ts";
import type { ReadLimits, Sequencer } from "../log/sequencer.ts";
import type { AccessLog } from "./accessLog.ts";

/** What the handlers of the access log close over. */
export type AccessDependencies = {
  readonly sequencer: Sequencer;
  readonly replicas: Replicas;
  /** For reading. */
  readonly pool: pg.Pool;
  /** Reading the access log leaves a row in it too. */
  readonly accessLog: AccessLog;
  readonly limits: ReadLimits;
  /** Keys tokens. */
  readonly key: KeyObject;
};
