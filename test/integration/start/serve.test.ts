import { mkdtempDisposable, readdir, readFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { readExport } from "../../support/exportReader.ts";
import { asRefusal } from "../../support/refusal.ts";
import { type Command, start } from "./command.ts";

/** One folder for all tests, which go on with each other's data: making a cluster takes longest. */
const parts = new AsyncDisposableStack();
let settings: Record<string, string>;
beforeAll(async () => {
  const folder = parts.use(await mkdtempDisposable(join(tmpdir(), "governance-serve-")));
  settings = {
    GOVERNANCE_DATA_DIR: join(folder.path, "data"),
    GOVERNANCE_GRPC_ADDR: "127.0.0.1:0",
    GOVERNANCE_HTTP_ADDR: "127.0.0.1:0",
    GOVERNANCE_LOG_LEVEL: "warn",
  };
});
afterAll(() => parts.disposeAsync());

async function token(...roles: string[]): Promise<string> {
  const command = start(settings, "token", ...roles.flatMap((role) => ["--role", role]));
  const { code, stdout, stderr } = await command.ended;
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  return stdout.trim();
}

async function ledgerOf(service: Command, ...roles: string[]) {
  const { grpcPort } = await service.ready;
  const bearer = `Bearer ${await token(...roles)}`;
  const transport: Transport = createGrpcTransport({
    baseUrl: `http://127.0.0.1:${grpcPort}`,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", bearer);
        return next(request);
      },
    ],
  });
  return createClient(UserActivityLedgerService, transport);
}

function action(eventId: string) {
  const wallet = "0xdeadbeef00000000000000000000000000000001";
  return { eventId, wallet, sessionId: "session", actionType: "HALT" };
}

/** Processes whose command line names the data folder. */
async function leftProcesses(): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (line.includes(settings.GOVERNANCE_DATA_DIR ?? "")) found.push(line.replaceAll("\0", " "));
  }
  return found;
}

async function expectCleanStop(service: Command, signal: "SIGTERM" | "SIGINT"): Promise<void> {
  const asked = performance.now();
  service.signal(signal);
  const { code, stderr } = await service.ended;
  expect([code, stderr]).toEqual([0, ""]);
  expect(performance.now() - asked).toBeLessThan(5000);
  if (process.platform === "linux") expect(await leftProcesses()).toEqual([]);
}

test("it starts on nothing, says where it listens and what to try, and stops on SIGTERM", async () => {
  await using service = start(settings);
  const { grpcPort, httpPort } = await service.ready;
  const said = service.stdout();
  expect(said).toContain(`gRPC        127.0.0.1:${grpcPort}`);
  expect(said).toContain(`HTTP        http://127.0.0.1:${httpPort}`);
  expect(said).toContain("npx governance token --role bot");
  expect(said.match(/^ {2}(curl|npx governance export)/gm)).toHaveLength(3);

  // The calls it proposes work as they are printed.
  const bot = await token("bot");
  for (const [, url = "", body = ""] of said.matchAll(/curl -s (\S+) [^']*-d '(.+)'/g)) {
    const headers = { authorization: `Bearer ${bot}`, "content-type": "application/json" };
    expect((await fetch(url, { method: "POST", headers, body })).status).toBe(200);
  }
  await expectCleanStop(service, "SIGTERM");
});

test("it finds its data again, and stops on SIGINT", async () => {
  await using service = start(settings);
  const ledger = await ledgerOf(service, "compliance");
  const { lines } = await readExport(ledger.exportUserActions({}));
  expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([{ event_id: "evt_1" }]);
  await expectCleanStop(service, "SIGINT");
});

test("it stops while callers hold streams and connections open, and answers what it took", async () => {
  await using service = start(settings);
  const ledger = await ledgerOf(service, "bot");
  const { httpPort } = await service.ready;

  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const page = () =>
    new Promise<number | undefined>((resolve, reject) => {
      const request = http.get({ port: httpPort, path: "/healthz", agent }, (response) => {
        response.resume().on("end", () => resolve(response.statusCode));
      });
      request.on("error", reject);
    });
  expect(await page()).toBe(200);

  const leave = Promise.withResolvers<void>();
  async function* oneBatch() {
    yield { message: { case: "open" as const, value: { streamId: "stays open" } } };
    yield { message: { case: "batch" as const, value: { firstOffset: 1n, actions: [action("taken")] } } };
    await leave.promise;
  }
  const seen: (string | undefined)[] = [];
  const stream = (async () => {
    for await (const { message } of ledger.streamUserActions(oneBatch())) seen.push(message.case);
  })().catch((cause: unknown) => asRefusal(cause));
  await expect.poll(() => seen).toEqual(["opened", "ack"]);

  await expectCleanStop(service, "SIGTERM");
  expect(await stream).toMatchObject({ code: "Unavailable", reason: "SHUTTING_DOWN" });
  leave.resolve();
  agent.destroy();

  const late = await ledger
    .recordUserAction(action("too late"))
    .catch((cause: unknown) => ConnectError.from(cause).code);
  expect(late).toBe(Code.Unavailable);
});

test("under load every action that was answered is there after the next start", async () => {
  const answered = new Set<string>();
  {
    await using service = start(settings);
    const ledger = await ledgerOf(service, "bot");
    let running = true;
    const callers = Array.from({ length: 20 }, async (_, caller) => {
      for (let i = 0; running; i++) {
        const eventId = `load-${caller}-${i}`;
        try {
          await ledger.recordUserAction(action(eventId));
          answered.add(eventId);
        } catch (cause) {
          expect([Code.Unavailable, Code.Canceled]).toContain(ConnectError.from(cause).code);
          running = false;
        }
      }
    });
    await expect.poll(() => answered.size).toBeGreaterThan(100);
    await expectCleanStop(service, "SIGTERM");
    await Promise.all(callers);
  }
  await using service = start(settings);
  const ledger = await ledgerOf(service, "compliance");
  const { lines } = await readExport(ledger.exportUserActions({}));
  const recorded = new Set(lines.map((line) => /"event_id":"([^"]+)"/.exec(line)?.[1]));
  expect([...answered].filter((eventId) => !recorded.has(eventId))).toEqual([]);
  await expectCleanStop(service, "SIGTERM");
});

test("two services do not share a folder, and the first one is not disturbed", async () => {
  await using first = start(settings);
  const { httpPort } = await first.ready;
  await using second = start(settings);
  const { code, stderr, seconds } = await second.ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^governance: GOVERNANCE_DATA_DIR: .* is in use by another governance process \(pid \d+\)/,
  );
  expect(seconds).toBeLessThan(5);
  expect((await fetch(`http://127.0.0.1:${httpPort}/readyz`)).status).toBe(200);
  await expectCleanStop(first, "SIGINT");
});
