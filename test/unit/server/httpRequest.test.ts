import { describe, expect, test } from "vitest";
import { callerWaitMs, emptyMessage, formatNamed, formatsOf } from "../../../src/server/httpRequest.ts";

describe("a content type", () => {
  test.each([
    ["application/json", true],
    ["application/proto", true],
    ["APPLICATION/JSON", true],
    [' application/json ; charset="utf-8" ', true],
    ["application/json;charset=UTF-8", true],
    ["application/grpc-web", true],
    ["application/grpc-web+proto", true],
    ["application/grpc-web+json; charset=utf-8", true],
    ["application/connect+json", false],
    ["application/connect+proto", false],
    ["application/grpc", false],
    ["application/grpc-web-text", false],
    ["application/json; charset=latin1", false],
    ["application/json, application/json", false],
    ["application/jsonp", false],
    ["text/plain", false],
    ["", false],
    [undefined, false],
  ])("of a single call: %j", (contentType, isKnown) => {
    expect(formatNamed(contentType, formatsOf(true)) !== undefined).toBe(isKnown);
  });

  test.each([
    ["application/connect+json", true],
    ["application/connect+proto; charset=utf-8", true],
    ["application/grpc-web", true],
    ["application/json", false],
    ["application/proto", false],
  ])("of a stream: %j", (contentType, isKnown) => {
    expect(formatNamed(contentType, formatsOf(false)) !== undefined).toBe(isKnown);
  });
});

test("an empty message is packed as its format has it", () => {
  const packed = Object.fromEntries(
    [...formatsOf(true), ...formatsOf(false)].map((format) => [
      format.contentType,
      Buffer.from(emptyMessage(format)).toString("latin1"),
    ]),
  );
  expect(packed).toEqual({
    "application/json": "{}",
    "application/proto": "",
    "application/connect+json": "\0\0\0\0\x02{}",
    "application/connect+proto": "\0\0\0\0\0",
    "application/grpc-web": "\0\0\0\0\0",
    "application/grpc-web+proto": "\0\0\0\0\0",
    "application/grpc-web+json": "\0\0\0\0\x02{}",
  });
});

describe("how long a caller waits:", () => {
  test.each([
    [{}, Number.POSITIVE_INFINITY],
    [{ "connect-timeout-ms": "0" }, 0],
    [{ "connect-timeout-ms": "9999999999" }, 9_999_999_999],
    [{ "grpc-timeout": "2H" }, 7_200_000],
    [{ "grpc-timeout": "3M" }, 180_000],
    [{ "grpc-timeout": "99999999S" }, 99_999_999_000],
    [{ "grpc-timeout": "5m" }, 5],
    [{ "grpc-timeout": "500u" }, 0.5],
    [{ "grpc-timeout": "1000n" }, 0.001],
    [{ "connect-timeout-ms": "" }, Number.NaN],
    [{ "connect-timeout-ms": "-1" }, Number.NaN],
    [{ "connect-timeout-ms": "1.5" }, Number.NaN],
    [{ "connect-timeout-ms": "12345678901" }, Number.NaN],
    [{ "connect-timeout-ms": "1s" }, Number.NaN],
    [{ "grpc-timeout": "1" }, Number.NaN],
    [{ "grpc-timeout": "1s" }, Number.NaN],
    [{ "grpc-timeout": "123456789S" }, Number.NaN],
    [{ "grpc-timeout": "" }, Number.NaN],
  ])("%j", (headers, waitMs) => {
    expect(callerWaitMs(headers)).toBe(waitMs);
  });
});
