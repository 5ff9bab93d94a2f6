import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isLoopback, parseAddress } from "../../../src/server/address.ts";
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
  ])("%s", (text) => {
    expect(isLoopback(parseAddress("SETTING", text))).toBe(false);
  });
});
