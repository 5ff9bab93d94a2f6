import type { Scenario } from "../scenario.ts";
import { backupRecovered } from "./backupRecovered.ts";
import { bothKilled } from "./bothKilled.ts";
import { disks } from "./disks.ts";
import { dumpRestored } from "./dumpRestored.ts";
import { failover } from "./failover.ts";
import { fsyncFaults } from "./fsync.ts";
import { herd } from "./herd.ts";
import { locks } from "./locks.ts";
import { logLeader } from "./logLeader.ts";
import { months } from "./months.ts";
import { networkFaults } from "./network.ts";
import { outage } from "./outage.ts";
import { postgresFrozen } from "./postgresFrozen.ts";
import { postgresKilled } from "./postgresKilled.ts";
import { powerCut } from "./powerCut.ts";
import { replayed } from "./replayed.ts";
import { replicasTogether } from "./replicasTogether.ts";
import { rollingUpgrade } from "./rollingUpgrade.ts";
import { serviceKilled } from "./serviceKilled.ts";
import { sigterm } from "./sigterm.ts";
import { spoolDamaged } from "./spoolDamaged.ts";
import { standbyPromoted } from "./standbyPromoted.ts";
import { twoReplicas } from "./twoReplicas.ts";

/** Every fault, in the order of the table. */
export const scenarios: readonly Scenario[] = [
  postgresKilled,
  serviceKilled,
  bothKilled,
  postgresFrozen,
  ...networkFaults,
  ...failover,
  standbyPromoted,
  dumpRestored,
  backupRecovered,
  ...locks,
  ...disks,
  ...fsyncFaults,
  ...spoolDamaged,
  powerCut,
  replayed,
  outage,
  herd,
  sigterm,
  twoReplicas,
  ...logLeader,
  replicasTogether,
  rollingUpgrade,
  months,
];
