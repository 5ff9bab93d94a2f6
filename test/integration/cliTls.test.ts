import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeCertificate } from "../support/certificate.ts";
import { type CliRun, envOf, runCli } from "../support/cli.ts";
import { startTestService, type TestService } from "../support/service.ts";

let folder: Awaited<ReturnType<typeof mkdtempDisposable>>;
let cert: string;
let key: string;
let service: TestService;
beforeAll(async () => {
  folder = await mkdtempDisposable(join(tmpdir(), "governance-tls-"));
  ({ cert, key } = await writeCertificate(folder.path));
  service = await startTestService({
    env: { GOVERNANCE_TLS_CERT: cert, GOVERNANCE_TLS_KEY: key, GOVERNANCE_TLS_CLIENT_CA: cert },
  });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

function list(...options: string[]): Promise<CliRun> {
  return runCli(["list", ...options], { env: envOf(service) });
}

test("a service that asks for certificates is called with ours, and trusted by the authority we name", async () => {
  const run = await list("--tls-ca", cert, "--tls-cert", cert, "--tls-key", key);
  expect(run).toMatchObject({ exitCode: 0, stderr: "governance: no user actions found\n" });
});

test("a service whose certificate nobody vouches for is not called", async () => {
  const run = await list("--tls", "--tls-cert", cert, "--tls-key", key);
  expect(run).toMatchObject({ exitCode: 6, stdout: "" });
  expect(run.stderr).toMatch(
    /^governance: .*its certificate is not trusted; name its authority with --tls-ca\n$/,
  );
});

test("without a certificate of ours, or without TLS, the service is out of reach", async () => {
  for (const options of [["--tls-ca", cert], []]) {
    const run = await list(...options);
    expect(run).toMatchObject({ exitCode: 6, stdout: "" });
    expect(run.stderr).toMatch(/^governance: [^\n]* cannot be reached: [^\n]*\n$/);
  }
});

test("half a certificate, or one that cannot be read, is told before anything is called", async () => {
  expect(await list("--tls-cert", cert)).toMatchObject({
    exitCode: 2,
    stderr: "governance: --tls-cert and --tls-key go together\n",
  });
  const missing = join(folder.path, "missing.pem");
  expect(await list("--tls-ca", missing)).toMatchObject({
    exitCode: 1,
    stderr: `governance: --tls-ca: ${missing} cannot be read (ENOENT)\n`,
  });
});
