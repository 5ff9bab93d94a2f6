import { createSecretKey } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cutAtSecret, maskSecrets } from "../../../src/auditor/secrets/mask.ts";
import { isSecret, isSecretName } from "../../../src/auditor/secrets/names.ts";
import { diffExact } from "../../../src/exact/diff.ts";
import { type ExactJson, scanJson } from "../../../src/exact/json.ts";

const key = createSecretKey(Buffer.alloc(32, 7));

function exact(text: string): ExactJson {
  const result = scanJson(text, { maxBytes: 1 << 22, maxDepth: 1_000, root: "any" });
  if (result.kind === "bad") throw new Error(result.problem.message);
  return result.value;
}

const masked = (text: string, whole = false) => maskSecrets(exact(text), key, whole);

describe("names of secrets", () => {
  test.each([
    ...["key", "KEY", "api_key", "api-key", "apiKey", "APIKey", "apikey", "API_KEY", "rpc.key", "keys"],
    ...[
      "private_key",
      "privateKey",
      "PRIVATEKEY",
      "privatekey",
      "Private-Key",
      "secretkey",
      "x.secret_key_2",
    ],
    ...["token", "accessToken", "access_tokens", "ACCESSTOKEN", "token_1", "secret", "clientSecret"],
    ...["password", "Pass_Word", "pass-phrase", "dbpassword", "credential", "venueCredentials", "api_key[0]"],
    ...["api\uff3fkey", "\uff4b\uff45\uff59", "KEY=", `${"long.".repeat(10_000)}key`],
  ])("%s is one", (name) => {
    expect(isSecretName(name)).toBe(true);
  });

  test.each([
    ...["monkey", "MONKEY", "Monkey", "turkeys", "hockey", "keyboard", "key_id", "keys_max", "keyed"],
    ...[
      "token_id",
      "fee_tokens",
      "tokenizer",
      "secretary",
      "passwords_allowed",
      "password_policy",
      "passenger",
      "word",
    ],
    ...["credentialed", "max_position_pusd", "", "_", "7", "ke", "y", `${"1".repeat(100_000)}x`],
  ])("%s is none", (name) => {
    expect(isSecretName(name)).toBe(false);
  });

  test("an asset's address is no secret where a token is one, and nowhere else", () => {
    const address = `"0x${"0aF".repeat(13)}1"`;
    expect(["token", "aToken", "a-token"].map((name) => isSecret(name, address))).toEqual([
      false,
      false,
      false,
    ]);
    expect(["api_key", "private_key", "secret"].map((name) => isSecret(name, address))).toEqual([
      true,
      true,
      true,
    ]);
    expect(isSecret("token", `"0x${"0".repeat(64)}"`)).toBe(true);
    expect(isSecret("token", `[${address}]`)).toBe(true);
  });
});

describe("masking", () => {
  test("replaces a member by its name, whatever its type, and leaves the rest digit for digit", () => {
    const text = '{"a":1.10,"key":{"x":[1]},"b":[{"token":null,"c":-0.0},["\\u0041",{"secret":1e5}]]}';
    const { value, pointers } = masked(text);
    const hidden = '"\\*{3}:[0-9a-f]{12}"';
    expect(value.text).toMatch(
      new RegExp(
        `^\\{"a":1\\.10,"key":${hidden},"b":\\[\\{"token":${hidden},"c":-0\\.0\\},\\["\\\\u0041",\\{"secret":${hidden}\\}\\]\\]\\}$`,
      ),
    );
    expect(pointers).toEqual(["/key", "/b/0/token", "/b/1/1/secret"]);
    expect(value).toEqual(exact(value.text));
  });

  test("finds a member however its name is spelt", () => {
    expect(masked('{"\\u006bey":"s","a/b.key":1}').pointers).toEqual(["/key", "/a~1b.key"]);
    expect(masked('{"__proto__":{"key":1},"constructor":{"token":2}}').pointers).toHaveLength(2);
  });

  test("tells equal secrets from others, and depends on the key", () => {
    const of = (text: string, by = key) => maskSecrets(exact(text), by, true).value.text;
    expect(of('{"a":1.0,"b":2}')).toBe(of('{"b":2,"a":1}'));
    expect(of("1")).not.toBe(of('"1"'));
    expect(of("null")).not.toBe(of('""'));
    expect(of("1")).not.toBe(of("1", createSecretKey(Buffer.alloc(32, 8))));
  });

  test("leaves a masked secret of a record as it is, and masks one that is not", () => {
    const once = masked('{"key":"s","url":"u"}').value;
    expect(maskSecrets(once, key, false, true).value.text).toBe(once.text);
    expect(maskSecrets(exact('{"key":"s","url":"u"}'), key, false, true).value.text).toBe(once.text);
    expect(masked(once.text).value.text).not.toBe(once.text);
  });

  test("a path is cut behind the member that is a secret", () => {
    expect(cutAtSecret("/a/credentials/hunter2/0")).toBe("/a/credentials");
    expect(cutAtSecret("/a~1key/hunter2")).toBe("/a~1key");
    expect(cutAtSecret("/monkey/0")).toBe("/monkey/0");
    expect(cutAtSecret("")).toBe("");
  });
});

const secretNames = fc.constantFrom("key", "api_key", "accessToken", "client-secret", "db.password");
const plainNames = fc.constantFrom("url", "monkey", "size", "a/b", "~", "0", "__proto__");
const secretValue = "hunter2";

/** Values in which the word stands inside of secrets alone. */
const { tree } = fc.letrec<{ tree: unknown; hidden: unknown }>((tie) => ({
  hidden: fc.oneof(
    fc.constant(secretValue),
    fc.array(fc.constant({ [secretValue]: [1.5, secretValue] }), { maxLength: 2 }),
  ),
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(0, -1.5, 1e21, "plain", null, true),
    fc.array(tie("tree"), { maxLength: 4 }),
    fc
      .tuple(
        fc.dictionary(plainNames, tie("tree"), { maxKeys: 4 }),
        fc.dictionary(secretNames, tie("hidden"), { maxKeys: 2 }),
      )
      .map(([plain, secret]) => ({ ...secret, ...plain })),
  ),
}));

test("no secret member survives, all else is unchanged, and every masked path is told", () => {
  fc.assert(
    fc.property(tree, (value) => {
      const text = JSON.stringify(value);
      const { value: hidden, pointers } = masked(text);
      expect(hidden.text).not.toContain(secretValue);
      // All that differs from what came is what was masked.
      const { changes } = diffExact(text, hidden.text, 10_000);
      expect(changes.map(({ path }) => path).toSorted()).toEqual(pointers.toSorted());
      expect(hidden.canonical).toBe(exact(hidden.text).canonical);
    }),
    { numRuns: 2_000 },
  );
});

test("a change of one secret is one change of the masked values, and no other is", () => {
  fc.assert(
    fc.property(secretNames, fc.jsonValue(), fc.jsonValue(), (name, before, after) => {
      const of = (secret: unknown) => masked(JSON.stringify({ a: [{ [name]: secret }], n: 1 })).value.text;
      const isSame = exact(JSON.stringify(before)).canonical === exact(JSON.stringify(after)).canonical;
      expect(diffExact(of(before), of(after), 10).changes).toHaveLength(isSame ? 0 : 1);
    }),
  );
});
