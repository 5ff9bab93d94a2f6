import { mkdtempDisposable, writeFile } from "node:fs/promises";
import https from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BotConfigService } from "../../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { logRecords } from "../../support/logRecords.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { type Certificate, makeCertificate } from "./certificate.ts";

const server = makeCertificate({ name: "localhost" });
const authority = makeCertificate({ name: "callers" });
const caller = makeCertificate({ name: "caller", signedBy: authority });
const expired = makeCertificate({ name: "caller", signedBy: authority, isExpired: true });
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
    ["whose certificate has expired", expired],
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

const listeners = [
  ["gRPC", (service: TestService) => service.grpcPort, "h2"],
  ["HTTP", (service: TestService) => service.httpPort, "http/1.1"],
] as const;

/** The version that is agreed on, or the error that ends the handshake. */
function handshake(options: tls.ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = tls.connect({ host: "127.0.0.1", ca: server.cert, ...options }, () => {
      resolve(socket.getProtocol() ?? "");
      socket.destroy();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

describe.each(listeners)("%s", (_, port, protocol) => {
  const options = () => ({ port: port(open), ALPNProtocols: [protocol] });

  test.each(["TLSv1.2", "TLSv1.3"] as const)("%s is spoken", async (version) => {
    expect(await handshake({ ...options(), minVersion: version, maxVersion: version })).toBe(version);
  });

  test("TLS before 1.2 is not", async () => {
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    expect(await handshake({ ...options(), ...old })).toMatch(/PROTOCOL_VERSION/);
  });

  test("a client that trusts another authority, or expects another host, does not speak to it", async () => {
    expect(await handshake({ ...options(), ca: authority.cert })).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
    expect(await handshake({ ...options(), servername: "governance.example" })).toBe(
      "ERR_TLS_CERT_ALTNAME_INVALID",
    );
  });

  test("a certificate whose files change is renewed without a restart; wrong files change nothing", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "governance-tls-"));
    const [cert, key] = [join(folder.path, "cert.pem"), join(folder.path, "key.pem")];
    await writeFile(cert, server.cert);
    await writeFile(key, server.key);
    const records = logRecords();
    await using service = await startTestService({
      env: { GOVERNANCE_TLS_CERT: cert, GOVERNANCE_TLS_KEY: key },
      limits: { tlsFilesEveryMs: 50 },
      log: records.log,
    });
    const trusting = (ca: string) => handshake({ port: port(service), ALPNProtocols: [protocol], ca });
    expect(await trusting(server.cert)).toBe("TLSv1.3");
    const renewed = makeCertificate({ name: "localhost" });
    await writeFile(cert, renewed.cert); // Until the key comes they do not belong together.
    await writeFile(key, renewed.key);
    await expect.poll(() => trusting(renewed.cert), { timeout: 10_000 }).toBe("TLSv1.3");
    await writeFile(cert, "nothing");
    await expect.poll(() => records.text()).toContain("is not a certificate in PEM");
    expect(await trusting(renewed.cert)).toBe("TLSv1.3");
  });
});
