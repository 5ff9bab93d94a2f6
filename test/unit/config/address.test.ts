import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isLoopback, mustBeLocal, parseAddress } from "../../../src/server/address.ts";
import { StartupError } from "../../../src/startupError.ts";

const port = fc.integer({ min: 0, max: 65_535 });
const host = fc.oneof(
  fc.ipV4(),
  fc
    .ipV6()
    .filter((text) => !text.includes("."))
    .map((text) => `[${text}]`),
  fc.constantFrom("example.com", "a", "db-1.internal.example", "xn--bcher-kva.example"),
  fc.constant("localhost"),
);

test("every host with a port is read, and what was read says the same", () => {
  fc.assert(
    fc.property(host, port, (name, number) => {
      const text = `${name}:${number}`;
      expect(parseAddress("SETTING", text)).toEqual({ host: name, port: number, text });
    }),
  );
});

test("any other text is refused by the setting's name, never with another error", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
      try {
        const address = parseAddress("SETTING", text);
        expect(address.text).toBe(text);
        expect(text.endsWith(`:${address.port}`) || /:0+\d*$/.test(text)).toBe(true);
      } catch (cause) {
        expect(cause).toBeInstanceOf(StartupError);
        expect(String(cause)).toContain("SETTING: ");
      }
    }),
  );
});

test.each([
  "",
  "50051",
  ":50051",
  "localhost",
  "localhost:",
  "localhost:-1",
  "localhost:65536",
  "localhost:999999",
  "::1:80",
  "a b:80",
  "localhost:80/x",
  "http://localhost:80",
  "localhost:8o",
  "[::1]",
  "\n:80",
  "\r\n:80",
])("%j is refused", (text) => {
  expect(() => parseAddress("SETTING", text)).toThrow(/^SETTING: .*is not host:port/);
});

describe("only this machine reaches", () => {
  test.each(["127.0.0.1:1", "127.1.2.3:1", "[::1]:1", "localhost:1"])("%s", (text) => {
    expect(isLoopback(parseAddress("SETTING", text))).toBe(true);
  });
});

describe("other machines may reach", () => {
  test.each([
    "0.0.0.0:1",
    "[::]:1",
    "10.0.0.1:1",
    "127.0.0.1.example.com:1",
    "127.1:1",
    "128.0.0.1:1",
    "example.com:1",
    "localhost.example.com:1",
    "[::ffff:7f00:1]:1",
    "[::ffff:0:0]:1",
    "[0:0:0:0:0:0:0:0]:1",
    "0:1",
    "0x0.0.0.0:1",
    "2130706433:1",
    "localhost.:1",
    "unix:1",
    "dns:1",
  ])("%s", (text) => {
    expect(isLoopback(parseAddress("SETTING", text))).toBe(false);
  });
});

describe("with the development key localhost has to be this machine", () => {
  const localhost = parseAddress("SETTING", "localhost:1");
  const at = (...ips: string[]) =>
    mustBeLocal("SETTING", localhost, async () => ips.map((address) => ({ address })));

  test("which it is", async () => {
    await mustBeLocal("SETTING", localhost);
    await at("127.0.0.1", "::1");
  });

  test.each([["10.0.0.7"], ["127.0.0.1", "0.0.0.0"], ["::"], ["::ffff:10.0.0.7"], ["fe80::1"]])(
    "not where the resolver says %s",
    async (...ips) => {
      await expect(at(...ips)).rejects.toThrow(/^SETTING: localhost:1 stands for .*development key/);
    },
  );
});

test.each([
  "[::ffff:0.0.0.0]:1",
  "/run/governance.sock",
  "unix:/run/governance.sock",
  "unix:///run/a:1",
  "*:x",
])("%s is no address to listen on", (text) => {
  expect(() => parseAddress("SETTING", text)).toThrow(StartupError);
});
