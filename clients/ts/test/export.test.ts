import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { access, appendFile, readFile } from "node:fs/promises";
import { before, test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createClient, type Interceptor } from "@connectrpc/connect";
import {
  ExportError,
  exportAccessLog,
  exportParameterChanges,
  exportUserActions,
  openGate,
  openRecorder,
} from "polytraders-governance-client";
import {
  ExportTrailerSchema,
  ExportUserActionsResponseSchema,
  UserActivityLedgerService,
} from "polytraders-governance-client/v1";
import {
  actionOf,
  address,
  change,
  complianceToken,
  connect,
  eventually,
  folderOf,
  serve,
  type Wire,
  wireTo,
  within,
} from "./support.js";

const compliance = connect(address, complianceToken);
const session = randomUUID();
const count = 300;
const isKind = (kind: string) => (cause: unknown) => cause instanceof ExportError && cause.kind === kind;
const fileOf = async () => `${await folderOf()}.jsonl`;

before(async () => {
  // Large ones, so that an export has more than one message.
  const paramsJson = JSON.stringify({ note: "é".repeat(10_000) });
  const recorder = await openRecorder(connect(), await folderOf());
  const all = Array.from({ length: count }, (_, index) => ({ ...actionOf(session, index + 1), paramsJson }));
  await recorder.recordActions(all);
  await recorder.flush(within());
  await recorder.close();
  const ledger = createClient(UserActivityLedgerService, compliance);
  await eventually(async () => {
    const { actions } = await ledger.listUserActions({ sessionId: session, pageSize: 10 });
    return actions.length > 0 ? true : undefined;
  });
});

/** Breaks the wire in the middle of the first export. */
function breaking(wire: Wire, how: (wire: Wire) => void): Interceptor {
  let isDone = false;
  return (next) => async (request) => {
    const answer = await next(request);
    if (!answer.stream || isDone) return answer;
    isDone = true;
    async function* cutShort(parts: AsyncIterable<never>) {
      for await (const part of parts) {
        yield part;
        how(wire);
      }
    }
    return { ...answer, message: cutShort(answer.message as AsyncIterable<never>) };
  };
}

test("an export that is cut goes on, and is the same file", async (t) => {
  const [whole, cut] = [await fileOf(), await fileOf()];
  const trailer = await exportUserActions(compliance, { sessionId: session }, whole, within());
  assert.equal(trailer.count, BigInt(count));
  const wire = await wireTo(t);
  const through = connect(
    wire.address,
    complianceToken,
    breaking(wire, (one) => one.cut()),
  );
  const resumed = await exportUserActions(through, { sessionId: session }, cut, within());
  assert.equal(resumed.totalCount, BigInt(count));
  assert.notEqual(resumed.count, BigInt(count));
  assert.deepEqual(await readFile(cut), await readFile(whole));
  await assert.rejects(access(`${cut}.resume`));
  await assert.rejects(exportUserActions(compliance, { sessionId: session }, whole), isKind("exists"));
});

test("an export goes on in another process", async (t) => {
  const path = await fileOf();
  const wire = await wireTo(t);
  const through = connect(
    wire.address,
    complianceToken,
    breaking(wire, (one) => one.shut(true)),
  );
  await assert.rejects(exportUserActions(through, { sessionId: session }, path, within()), isKind("cut"));
  await assert.rejects(exportUserActions(compliance, {}, path), isKind("other-filters"));
  // A process that was killed leaves more in the file than its state says.
  await appendFile(path, '{"event_id":"written and not synced');
  const trailer = await exportUserActions(compliance, { sessionId: session }, path, within());
  assert.ok(trailer.count < trailer.totalCount);
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  const ids = lines.map((line) => JSON.parse(line).event_id);
  assert.deepEqual(
    ids,
    Array.from({ length: count }, (_, index) => `${session}-${index + 1}`),
  );
});

test("an export that its caller gave up goes on later", async (t) => {
  const path = await fileOf();
  const giveUp = new AbortController();
  const through = connect(
    address,
    complianceToken,
    breaking(await wireTo(t), () => giveUp.abort()),
  );
  const exporting = exportUserActions(through, { sessionId: session }, path, { signal: giveUp.signal });
  await assert.rejects(exporting, isKind("cut"));
  await exportUserActions(compliance, { sessionId: session }, path, within());
});

test("exports of changes and of the access log are whole, and one of nothing is empty", async () => {
  const gate = await openGate(connect(), await folderOf());
  const { botSlug } = change();
  await gate.checkWrite({ ...change(), botSlug });
  await gate.close();
  const lines = async (path: string) => (await readFile(path, "utf8")).split("\n").length - 1;
  const [changes, calls, nothing] = [await fileOf(), await fileOf(), await fileOf()];
  await exportParameterChanges(compliance, { botSlug }, changes, within());
  await exportAccessLog(compliance, {}, calls, within());
  await exportUserActions(compliance, { sessionId: randomUUID() }, nothing, within());
  assert.equal(await lines(changes), 1);
  assert.ok((await lines(calls)) > 0);
  assert.equal(await lines(nothing), 0);
});

test("what does not fit its trailer is said to be damaged, and begins anew", async (t) => {
  const sha256 = (...parts: (string | Buffer)[]) => {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
  const whole = { count: 1n, sha256: sha256("{}\n"), totalCount: 1n, complete: true };
  const chainSha256 = sha256(Buffer.alloc(32), "{}");
  const cases: [string, MessageInitShape<typeof ExportTrailerSchema>, boolean][] = [
    ["nothing is wrong", {}, false],
    ["a line too few", { count: 2n }, true],
    ["another SHA-256", { sha256: sha256("") }, true],
    ["another total", { totalCount: 2n }, true],
    ["another chain", { chainSha256: sha256("") }, true],
  ];
  for (const [name, spoilt, isDamaged] of cases) {
    let trailer = Object.assign(create(ExportTrailerSchema, { ...whole, chainSha256 }), spoilt);
    const at = await serve(t, (router) =>
      router.service(UserActivityLedgerService, {
        async *exportUserActions() {
          yield create(ExportUserActionsResponseSchema, { jsonl: Buffer.from("{}\n"), resumeToken: "t" });
          yield create(ExportUserActionsResponseSchema, { trailer });
        },
      }),
    );
    const path = await fileOf();
    const exporting = () => exportUserActions(connect(at), {}, path, within());
    if (isDamaged) await assert.rejects(exporting, isKind("damaged"), name);
    trailer = create(ExportTrailerSchema, { ...whole, chainSha256 });
    await exporting();
    assert.equal(await readFile(path, "utf8"), "{}\n", name);
  }
});
