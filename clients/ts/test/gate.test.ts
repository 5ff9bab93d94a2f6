import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { appendFile, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import {
  ConfigError,
  connectTo,
  type Gate,
  type GateOptions,
  openGate,
  type Write,
} from "polytraders-governance-client";
import {
  type CheckWriteRequest,
  CheckWriteRequestSchema,
  CheckWriteResponseSchema,
  Durability,
  type ParameterChange,
  ParameterChangeAuditorService,
  type RecordUngatedWriteRequest,
  WriteOutcome,
} from "polytraders-governance-client/v1";
import {
  address,
  botToken,
  change,
  complianceToken,
  connect,
  eventually,
  folderOf,
  serve,
  startChild,
  userToken,
  wireTo,
  within,
} from "./support.js";

async function gateAt(
  t: TestContext,
  transport: Transport,
  folder: string,
  options?: GateOptions,
): Promise<Gate> {
  const gate = await openGate(transport, folder, options);
  t.after(() => gate.close());
  return gate;
}

const auditor = createClient(ParameterChangeAuditorService, connect(address, complianceToken));

async function recorded(botSlug: string): Promise<readonly ParameterChange[]> {
  return (await auditor.listParameterChanges({ botSlug })).changes;
}

/** The only record of a bot. What the service has only buffered comes a little later. */
async function one(botSlug: string): Promise<ParameterChange> {
  const changes = await eventually(async () => {
    const found = await recorded(botSlug);
    return found.length > 0 ? found : undefined;
  });
  assert.equal(changes.length, 1);
  const [only] = changes;
  assert.ok(only);
  return only;
}

/** What the service was told of a decision, once it was told: the first outcome stands, and the answer says it. */
async function outcomeOf(botSlug: string): Promise<WriteOutcome> {
  const { report } = await one(botSlug);
  await eventually(async () => {
    const { changes } = await auditor.listParameterChanges({ botSlug, unconfirmed: true });
    return changes.length === 0 ? true : undefined;
  });
  const bot = createClient(ParameterChangeAuditorService, connect());
  const answer = await bot.confirmWrite({
    decisionId: report?.decisionId ?? "",
    outcome: WriteOutcome.APPLIED,
  });
  return answer.outcome;
}

const hasCode = (code: Code) => (cause: unknown) => cause instanceof ConnectError && cause.code === code;

test("an allowed write has its decision", async (t) => {
  const gate = await gateAt(t, connect(), await folderOf());
  const write = create(CheckWriteRequestSchema, change());
  const decision = await gate.checkWrite(write);
  assert.equal(decision.cause, undefined);
  assert.equal(decision.response?.allowed, true);
  assert.equal(write.writeId, "", "the caller's request is not changed");
  assert.equal((await one(write.botSlug)).writeId, decision.writeId);
});

test("a rejected write is a ConfigError and is not made", async (t) => {
  const gate = await gateAt(t, connect(), await folderOf());
  const write = { ...change(), botSlug: `risk.${randomUUID()}`, paramName: "max_position_pusd" };
  let isMade = false;
  const changing = gate.change(write, () => {
    isMade = true;
  });
  const refusal = await changing.catch((cause: unknown) => cause);
  assert.ok(refusal instanceof ConfigError);
  assert.equal(refusal.reasonCode, "AUDIT_TICKET_REQUIRED");
  assert.notEqual(refusal.userMessage, "");
  assert.equal(refusal.decisionId, (await one(write.botSlug)).report?.decisionId);
  assert.equal(isMade, false);
});

test("a mistake of the caller's is thrown, and nothing is kept", async (t) => {
  const noToken = () => Promise.reject(new Error("the vault is away"));
  const cases: [string, Transport, Write, (cause: unknown) => boolean][] = [
    ["a missing field", connect(), { ...change(), editorId: "" }, hasCode(Code.InvalidArgument)],
    ["a bad token", connect(address, "nonsense"), change(), hasCode(Code.Unauthenticated)],
    ["no token", connectTo(address, { token: noToken }), change(), hasCode(Code.Unauthenticated)],
    ["a role that may not", connect(address, userToken), change(), hasCode(Code.PermissionDenied)],
    ["broken text", connect(), { ...change(), editorId: "\ud800" }, (cause) => cause instanceof TypeError],
    [
      "too much",
      connect(),
      { ...change(), newValueJson: "1".repeat(5e6) },
      (cause) => cause instanceof RangeError,
    ],
  ];
  for (const [name, transport, write, isExpected] of cases) {
    const gate = await gateAt(t, transport, await folderOf());
    await assert.rejects(gate.checkWrite(write), isExpected, name);
    assert.equal(gate.pending(), 0, name);
  }
});

test("the gate opens for five codes alone", async (t) => {
  const opening = [
    Code.Unavailable,
    Code.DeadlineExceeded,
    Code.ResourceExhausted,
    Code.Internal,
    Code.Unknown,
  ];
  let code = Code.Canceled;
  const at = await serve(t, (router) =>
    router.service(ParameterChangeAuditorService, {
      checkWrite: () => {
        throw new ConnectError("as the test wants it", code);
      },
    }),
  );
  const folder = await folderOf();
  for (code = Code.Canceled; code <= Code.Unauthenticated; code++) {
    const gate = await gateAt(t, connect(at), join(folder, String(code)));
    const isOpen = await gate.checkWrite(change()).then(
      () => true,
      (cause: unknown) => !hasCode(code)(cause),
    );
    assert.equal(isOpen, opening.includes(code), Code[code]);
    assert.equal(gate.pending(), isOpen ? 1 : 0, Code[code]);
  }
});

test("a silent service holds a write up for half a second, and is told later", async (t) => {
  const wire = await wireTo(t);
  const connection = connect(wire.address);
  const gate = await gateAt(t, connection, await folderOf());
  await gate.checkWrite({ ...change(), dryRun: true });
  const resume = wire.stall();
  const write = change();
  const started = performance.now();
  const decision = await gate.checkWrite(write);
  const tookMs = performance.now() - started;
  assert.equal(decision.cause, "DEADLINE_EXCEEDED");
  assert.ok(tookMs > 450 && tookMs < 5_000, `it took ${tookMs} ms`);
  resume();
  await gate.flush(within());
  assert.equal((await one(write.botSlug)).writeId, decision.writeId);
});

test("a token that does not come holds a write up no longer", async (t) => {
  let calls = 0;
  const token = () => (++calls === 1 ? new Promise<string>(() => {}) : botToken);
  const gate = await gateAt(t, connectTo(address, { token }), await folderOf());
  assert.equal((await gate.checkWrite(change())).cause, "DEADLINE_EXCEEDED");
  await gate.flush(within());
});

test("a connection that breaks under the call is no verdict", async (t) => {
  const wire = await wireTo(t);
  const gate = await gateAt(t, connect(wire.address), await folderOf());
  await gate.checkWrite({ ...change(), dryRun: true });
  const resume = wire.stall();
  const write = change();
  const checking = gate.checkWrite(write);
  setTimeout(() => wire.cut(), 50);
  assert.equal((await checking).cause, "UNAVAILABLE");
  resume();
  await gate.flush(within());
  await one(write.botSlug);
});

test("a call that its caller gave up is thrown, and nothing is kept", async (t) => {
  const gate = await gateAt(t, connect(), await folderOf());
  await assert.rejects(gate.checkWrite(change(), { signal: AbortSignal.abort() }), hasCode(Code.Canceled));
  assert.equal(gate.pending(), 0);
});

test("a write without a verdict is delivered once, by the next process", async (t) => {
  const wire = await wireTo(t);
  wire.shut(true);
  const [connection, folder, write] = [connect(wire.address), await folderOf(), change()];
  const before = Date.now();
  const gate = await openGate(connection, folder);
  await gate.checkWrite(write);
  const after = Date.now();
  await gate.close();
  wire.shut(false);
  for (let run = 0; run < 2; run++) {
    const next = await openGate(connection, folder);
    await next.flush(within());
    await next.close();
  }
  const got = await one(write.botSlug);
  assert.equal(got.reasonCode, "UNGATED_WRITE");
  assert.equal(got.ungatedCause, "UNAVAILABLE");
  assert.equal(got.report?.newValueJson, write.newValueJson);
  const { seconds = 0n, nanos = 0 } = got.report?.claimedChangedAt ?? {};
  const at = Number(seconds) * 1_000 + nanos / 1e6;
  assert.ok(at >= before && at <= after, `changed at ${at}, want ${before} to ${after}`);
});

for (const when of ["gate", "change"]) {
  test(`a write survives the kill of its process (${when})`, async (t) => {
    const [folder, write] = [await folderOf(), change()];
    const child = startChild(t, when, folder, "127.0.0.1:1", write.botSlug);
    assert.equal(await child.line(), "allowed");
    await assert.rejects(openGate(connect(), folder), /in use/);
    await child.kill();
    const gate = await gateAt(t, connect(), folder);
    await gate.flush(within());
    assert.equal((await one(write.botSlug)).reasonCode, "UNGATED_WRITE");
  });
}

for (const isMade of [true, false]) {
  for (const isAway of [false, true]) {
    test(`change tells that a write was ${isMade ? "" : "not "}made${isAway ? ", later" : ""}`, async (t) => {
      const wire = await wireTo(t);
      const gate = await gateAt(t, connect(wire.address), await folderOf());
      const write = change();
      const failure = new Error("the store is full");
      const changing = gate.change(write, (decision) => {
        assert.equal(decision.response?.allowed, true);
        wire.shut(isAway);
        if (!isMade) throw failure;
        return 42;
      });
      if (isMade) assert.equal(await changing, 42);
      else await assert.rejects(changing, failure);
      assert.equal(gate.pending(), isAway ? 1 : 0);
      wire.shut(false);
      await gate.flush(within());
      assert.equal(await outcomeOf(write.botSlug), isMade ? WriteOutcome.APPLIED : WriteOutcome.ABORTED);
    });
  }
}

test("a write without a verdict that failed never was", async (t) => {
  const wire = await wireTo(t);
  wire.shut(true);
  const gate = await gateAt(t, connect(wire.address), await folderOf());
  const write = change();
  const failure = new Error("the store is full");
  await assert.rejects(
    gate.change(write, () => Promise.reject(failure)),
    failure,
  );
  wire.shut(false);
  await gate.flush(within());
  assert.equal((await one(write.botSlug)).reasonCode, "PARAM_CHANGED");
  assert.equal(await outcomeOf(write.botSlug), WriteOutcome.ABORTED);
});

test("a write without a verdict is not delivered while it is being made", async (t) => {
  const wire = await wireTo(t);
  wire.shut(true);
  const gate = await gateAt(t, connect(wire.address), await folderOf());
  const [write, other] = [change(), change()];
  await gate.change(write, async () => {
    await gate.checkWrite(other);
    wire.shut(false);
    await one(other.botSlug);
    assert.deepEqual(await recorded(write.botSlug), []);
  });
  await gate.flush(within());
  assert.equal((await one(write.botSlug)).reasonCode, "UNGATED_WRITE");
});

test("a verdict whose answer was lost is one record", async (t) => {
  const losing: Interceptor = (next) => async (request) => {
    const answer = await next(request);
    if (request.method.name === "CheckWrite") throw new ConnectError("the answer was lost", Code.Unavailable);
    return answer;
  };
  const gate = await gateAt(t, connect(address, botToken, losing), await folderOf());
  const write = change();
  await gate.change(write, () => {});
  await gate.flush(within());
  assert.equal((await one(write.botSlug)).reasonCode, "PARAM_CHANGED");
  assert.equal(await outcomeOf(write.botSlug), WriteOutcome.APPLIED);
});

test("a write that the service refuses for ever is kept aside, and holds nothing up", async (t) => {
  const folder = await folderOf();
  const first = { ...change(), writeId: randomUUID() };
  const gate = await openGate(connect(), folder);
  await gate.checkWrite(first);
  await gate.close();
  const wire = await wireTo(t);
  wire.shut(true);
  const away = await openGate(connect(wire.address), folder);
  const [second, next] = [{ ...first, newValueJson: "9" }, change()];
  await away.checkWrite(second);
  await away.checkWrite(next);
  wire.shut(false);
  await away.flush(within());
  await away.close();
  const again = await gateAt(t, connect(), folder);
  const refused = await again.refused();
  assert.deepEqual(
    refused.map(({ write }) => write?.newValueJson),
    ["9"],
  );
  assert.match(refused[0]?.reason ?? "", /WRITE_ID_CONFLICT/);
  await one(next.botSlug);
});

for (const allowed of [true, false]) {
  test(`a verdict that was not recorded is delivered (${allowed ? "allowed" : "rejected"})`, async (t) => {
    const checked: CheckWriteRequest[] = [];
    const ungated: RecordUngatedWriteRequest[] = [];
    const at = await serve(t, (router) =>
      router.service(ParameterChangeAuditorService, {
        checkWrite(request) {
          checked.push(request);
          const durability = checked.length > 1 ? Durability.DURABLE : Durability.NOT_RECORDED;
          return create(CheckWriteResponseSchema, { allowed, durability, decisionId: "d" });
        },
        recordUngatedWrite(request) {
          ungated.push(request);
          return { durability: Durability.DURABLE };
        },
      }),
    );
    const gate = await gateAt(t, connect(at), await folderOf());
    const checking = gate.checkWrite(change());
    if (allowed) await checking;
    else await assert.rejects(checking, ConfigError);
    await gate.flush(within());
    assert.deepEqual(
      ungated.map(({ cause }) => cause),
      allowed ? ["NOT_RECORDED"] : [],
    );
    // A rejected write was not made: it is asked for again, under the same writeId.
    if (!allowed) assert.equal(checked[0]?.writeId, checked[1]?.writeId);
  });
}

test("a write on which the service fails does not hold up the next", async (t) => {
  const [first, next] = [change(), change()];
  const delivered: string[] = [];
  const at = await serve(t, (router) =>
    router.service(ParameterChangeAuditorService, {
      checkWrite: () => {
        throw new ConnectError("as the test wants it", Code.Internal);
      },
      recordUngatedWrite(request) {
        if (request.botSlug === first.botSlug) throw new ConnectError("as the test wants it", Code.Internal);
        delivered.push(request.botSlug);
        return { durability: Durability.DURABLE };
      },
    }),
  );
  const gate = await gateAt(t, connect(at), await folderOf());
  await gate.checkWrite(first);
  await gate.checkWrite(next);
  await eventually(async () => (gate.pending() === 1 ? true : undefined));
  assert.deepEqual(delivered, [next.botSlug]);
});

test("what a crash left half written is cut off, and a damaged record loses itself alone", async (t) => {
  const folder = await folderOf();
  const away = await openGate(connect("127.0.0.1:1"), folder);
  const writes = [change(), change(), change()];
  for (const write of writes) await away.checkWrite(write);
  await away.close();
  const file = join(folder, "writes.log");
  await appendFile(file, Buffer.from([200, 0, 0, 0, 1, 2, 3]));
  const half = await openGate(connect("127.0.0.1:1"), folder);
  assert.equal(half.pending(), 3);
  await half.close();
  const bytes = await readFile(file);
  bytes[Math.floor(bytes.length / 2)] = 0;
  await writeFile(file, bytes);
  const errors: string[] = [];
  const log = { debug() {}, warn() {}, error: (text: string) => errors.push(text) };
  const gate = await gateAt(t, connect(), folder, { log });
  assert.equal(gate.pending(), 2);
  assert.match(errors.join(), /damaged/);
  assert.deepEqual(await readFile(`${file}.damaged`), bytes);
  await gate.flush(within());
  const [first, second, third] = writes;
  await one(first?.botSlug ?? "");
  await one(third?.botSlug ?? "");
  assert.deepEqual(await recorded(second?.botSlug ?? ""), []);
});

test("the file stays small, whatever went through it", async (t) => {
  const wire = await wireTo(t);
  wire.shut(true);
  const folder = await folderOf();
  const gate = await gateAt(t, connect(wire.address), folder);
  const writes = Array.from({ length: 12 }, () => ({
    ...change(),
    newValueJson: `"${"x".repeat(200_000)}"`,
  }));
  await Promise.all(writes.map((write) => gate.checkWrite(write)));
  const size = async () => (await stat(join(folder, "writes.log"))).size;
  assert.ok((await size()) > 2_400_000);
  wire.shut(false);
  await gate.flush(within());
  await eventually(async () => ((await size()) < 1_100_000 ? true : undefined));
  await gate.checkWrite(change());
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.endsWith(".new")),
    [],
  );
});

test("one process has a folder, once", async (t) => {
  const folder = await folderOf();
  const gate = await openGate(connect(), folder);
  await assert.rejects(openGate(connect(), folder), /in use/);
  await gate.close();
  await gateAt(t, connect(), folder);
});

test("a token does not go to another machine without TLS", () => {
  assert.throws(() => connectTo("governance.example:50051", { token: "t" }), /without TLS/);
  assert.throws(() => connectTo("127.0.0.1.example:50051", { token: "t" }), /without TLS/);
  connectTo("governance.example:50051", { token: "t", tls: {} }).close();
});
