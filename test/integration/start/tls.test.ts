import { mkdtempDisposable, writeFile } from "node:fs/promises";
import https from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BotConfigService } from "../../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { type Certificate, makeCertificate } from "./certificate.ts";

const server = makeCertificate({ name: "localhost" });
const authority = makeCertificate({ name: "callers" });
const caller = makeCertificate({ name: "caller", signedBy: authority });
const stranger = makeCertificate({ name: "stranger", signedBy: makeCertificate({ name: "callers" }) });

const parts = new AsyncDisposableStack();
let open: TestService;
let mutual: TestService;
beforeAll(async () => {
  const folder = parts.use(await mkdtempDisposable(join(tmpdir(), "governance-tls-")));
  const file = async (name: string, text: string) => {
    const path = join(folder.path, name);
    await writeFile(path, text);
    return path;
  };
  const env = {
    GOVERNANCE_TLS_CERT: await file("cert.pem", server.cert),
    GOVERNANCE_TLS_KEY: await file("key.pem", server.key),
  };
  const clientCa = await file("ca.pem", authority.cert);
  open = parts.use(await startTestService({ env }));
  mutual = parts.use(await startTestService({ env: { ...env, GOVERNANCE_TLS_CLIENT_CA: clientCa } }));
});
afterAll(() => parts.disposeAsync());

/** A call over the listener, with the caller's certificate or none. */
type Ask = (service: TestService, certificate?: Certificate) => Promise<string>;

const trust = (certificate: Certificate | undefined) => ({
  ca: server.cert,
  ...(certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key }),
});

async function answerOver(
  transport: Parameters<typeof createClient>[1],
  service: TestService,
): Promise<string> {
  const client = createClient(BotConfigService, transport);
  const headers = { authorization: `Bearer ${await service.token({ roles: ["bot"] })}` };
  return (await client.getBotConfig({ botId: "gov.useractivityledger" }, { headers })).botId;
}

const asks: Record<string, Ask> = {
  gRPC: (service, certificate) => {
    const baseUrl = `https://127.0.0.1:${service.grpcPort}`;
    return answerOver(createGrpcTransport({ baseUrl, nodeOptions: trust(certificate) }), service);
  },
  HTTP: (service, certificate) => {
    const baseUrl = `https://127.0.0.1:${service.httpPort}`;
    const options = { baseUrl, httpVersion: "1.1", nodeOptions: trust(certificate) } as const;
    return answerOver(createConnectTransport(options), service);
  },
};

describe.each(Object.entries(asks))("%s", (_, ask) => {
  test("is served over TLS", async () => {
    expect(await ask(open)).toBe("gov.useractivityledger");
  });

  test("with an authority for callers, a caller with its certificate is served", async () => {
    expect(await ask(mutual, caller)).toBe("gov.useractivityledger");
  });

  test.each([
    ["without a certificate", undefined],
    ["with a certificate of another authority of the same name", stranger],
    ["with a certificate of its own", server],
  ])("with an authority for callers, a caller %s is refused", async (_who, certificate) => {
    await expect(ask(mutual, certificate)).rejects.toThrow(ConnectError);
  });
});

test("who speaks plainly to a listener with TLS is not answered", async () => {
  await expect(fetch(`http://127.0.0.1:${open.httpPort}/healthz`)).rejects.toThrow("fetch failed");
});

test("the pages are served over TLS", async () => {
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const request = https.get({ port: open.httpPort, path: "/healthz", ca: server.cert }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on("error", reject);
  });
  expect(status).toBe(200);
});
