import { mkdtempDisposable, readdir, readFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConnectError, createClient, type Transport } from "@connectrpc/connect";
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

const tokens = new Map<string, Promise<string>>();

/** A token of the development key, which stays the same from start to start. */
function token(role: string): Promise<string> {
  const known = tokens.get(role) ?? mint(role);
  tokens.set(role, known);
  return known;
}

async function mint(role: string): Promise<string> {
  const command = start(settings, "token", "--role", role);
  const { code, stdout, stderr } = await command.ended;
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  return stdout.trim();
}

async function ledgerOf(service: Command, role: string) {
  const { grpcPort } = await service.ready;
  const bearer = `Bearer ${await token(role)}`;
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

test("it finds its data again, is not disturbed by another one on its folder, and stops on SIGINT", async () => {
  await using service = start(settings);
  await service.ready;
  await using second = start(settings);
  const { code, stderr, seconds } = await second.ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^governance: GOVERNANCE_DATA_DIR: .* is in use by another governance process \(pid \d+\)/,
  );
  expect(seconds).toBeLessThan(5);

  const ledger = await ledgerOf(service, "compliance");
  const { lines } = await readExport(ledger.exportUserActions({}));
  expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([{ event_id: "evt_1" }]);
  await expectCleanStop(service, "SIGINT");
});

test("under load it stops as fast, answers what it took, and nothing that it answered is lost", async () => {
  const answered = new Set<string>();
  {
    await using service = start(settings);
    const ledger = await ledgerOf(service, "bot");
    const { httpPort } = await service.ready;
    using idle = await keptAlive(httpPort);
    const stream = openStream(ledger);
    await expect.poll(() => stream.seen).toEqual(["opened", "ack"]);
    answered.add("streamed");
    const callers = Array.from({ length: 20 }, (_, caller) =>
      callUntilRefused(ledger, `load-${caller}`, answered),
    );
    await expect.poll(() => answered.size).toBeGreaterThan(100);

    await expectCleanStop(service, "SIGTERM");
    expect(await stream.ended).toMatchObject({ code: "Unavailable", reason: "SHUTTING_DOWN" });
    for (const refusal of await Promise.all(callers))
      expect(refusal).toMatch(/unavailable|canceled|REFUSED_STREAM/);
    expect(idle.status).toBe(200);
  }
  await using service = start(settings);
  const ledger = await ledgerOf(service, "compliance");
  const { lines } = await readExport(ledger.exportUserActions({}));
  const recorded = new Set(lines.map((line) => /"event_id":"([^"]+)"/.exec(line)?.[1]));
  expect([...answered].filter((eventId) => !recorded.has(eventId))).toEqual([]);
  await expectCleanStop(service, "SIGTERM");
});

type Ledger = Awaited<ReturnType<typeof ledgerOf>>;

/** A producer that sends one batch, keeps its stream open and never reads on. */
function openStream(ledger: Ledger) {
  async function* oneBatch() {
    yield { message: { case: "open" as const, value: { streamId: "stays open" } } };
    yield { message: { case: "batch" as const, value: { firstOffset: 1n, actions: [action("streamed")] } } };
    await new Promise(() => undefined);
  }
  const seen: (string | undefined)[] = [];
  const ended = (async () => {
    for await (const { message } of ledger.streamUserActions(oneBatch())) seen.push(message.case);
  })().catch((cause: unknown) => asRefusal(cause));
  return { seen, ended };
}

/** Records one action after the other; resolves with the words it is refused with at last. */
async function callUntilRefused(ledger: Ledger, prefix: string, answered: Set<string>): Promise<string> {
  for (let i = 0; ; i++) {
    try {
      await ledger.recordUserAction(action(`${prefix}-${i}`));
      answered.add(`${prefix}-${i}`);
    } catch (cause) {
      return ConnectError.from(cause).message;
    }
  }
}

/** A connection over HTTP that stays open after its answer. */
async function keptAlive(port: number): Promise<{ readonly status: number | undefined } & Disposable> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const request = http.get({ port, path: "/healthz", agent }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode));
    });
    request.on("error", reject);
  });
  return { status, [Symbol.dispose]: () => agent.destroy() };
}
