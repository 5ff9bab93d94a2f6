import { PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { WriteStream } from "node:tty";
import { expect, test } from "vitest";
import { createProgress } from "../../../src/cli/output/progress.ts";

/** What cli-progress writes to a terminal, without one. */
function terminal(isTTY: boolean): { stream: NodeJS.WriteStream; written: () => string } {
  const chunks: string[] = [];
  const through = new PassThrough();
  through.on("data", (bytes: Buffer) => chunks.push(bytes.toString()));
  // Only the methods of a terminal that are called are those of a terminal.
  const stream = Object.assign(Object.create(WriteStream.prototype), { isTTY, columns: 80 });
  stream.write = through.write.bind(through);
  stream.cursorTo = () => true;
  stream.clearLine = () => true;
  return { stream, written: () => chunks.join("") };
}

test("progress is shown on a terminal: a bar where the total is known, else what came so far", async () => {
  const known = terminal(true);
  const bar = createProgress("file.jsonl", 200, known.stream);
  bar.update(100, "50 rows");
  await sleep(200);
  bar.stop();
  expect(known.written()).toContain("file.jsonl  ████████████░░░░░░░░░░░░ 50 %  50 rows");
  const unknown = terminal(true);
  const counter = createProgress("exporting", undefined, unknown.stream);
  counter.update(100, "1.2 MB");
  counter.stop();
  expect(unknown.written()).toContain("exporting  1.2 MB");
  expect(unknown.written()).not.toContain("%");
});

test("where nobody watches nothing is written", async () => {
  const { stream, written } = terminal(false);
  const progress = createProgress("file.jsonl", 200, stream);
  progress.update(100, "50 rows");
  await sleep(50);
  progress.stop();
  expect(written()).toBe("");
});
