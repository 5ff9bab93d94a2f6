import { existsSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { auditorAs } from "../../support/callers.ts";
import { startTestService } from "../../support/service.ts";
import { enforce, write } from "../auditor/writes.ts";
import { freePort, runProgram } from "./programs.ts";
import { lookedThrough, quickly } from "./receiving.ts";

const binary = "/usr/bin/prometheus-alertmanager";
const config = resolve(import.meta.dirname, "../../../ops/alertmanager.yaml");

const alerts = z.array(
  z.object({ labels: z.record(z.string(), z.string()), annotations: z.record(z.string(), z.string()) }),
);

// CI installs it: there the test runs, and fails without it.
test.runIf(existsSync(binary) || process.env.CI)(
  "a real Alertmanager that starts late has each alert once, with its decision and its runbook (where it is installed)",
  async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "governance-alertmanager-"));
    const listens = `127.0.0.1:${await freePort()}`;
    const url = `http://${listens}`;
    const receiver = `alerts: { runbooks: "https://wiki/runbooks", receivers: [{ kind: alertmanager, name: am, url: "${url}/" }] }\n`;
    await using service = await startTestService({ config: enforce + receiver, limits: quickly });
    const configStore = await auditorAs(service, "config-store");
    const p0 = write("armed", { botSlug: "risk.killswitch", ticketRef: "PTRD-1" });
    const decisions = [await configStore.checkWrite(p0), await configStore.checkWrite(p0)];
    await using _manager = await runProgram(binary, url, [
      `--config.file=${config}`,
      `--storage.path=${folder.path}`,
      `--web.listen-address=${listens}`,
      "--cluster.listen-address=",
    ]);
    await lookedThrough(service.database);
    const all = alerts.parse(await (await fetch(`${url}/api/v2/alerts`)).json());
    const found = all.filter(({ labels }) => labels.alertname === "P0_PARAMETER_CHANGED");
    expect(found.map(({ labels }) => labels.decision_id).toSorted()).toEqual(
      decisions.map(({ decisionId }) => decisionId).toSorted(),
    );
    expect(found[0]).toMatchObject({
      labels: { severity: "P1", bot_slug: "risk.killswitch", param_name: "armed", param_tier: "P0" },
      annotations: { runbook_url: "https://wiki/runbooks#runbook-parameterauditor-p0" },
    });
  },
);
