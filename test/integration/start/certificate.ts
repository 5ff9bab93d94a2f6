import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** A certificate in PEM and its key; what signed it, to be trusted or not. */
export type Certificate = { readonly name: string; readonly cert: string; readonly key: string };

/**
 * A certificate for 127.0.0.1 and localhost, good from 2020 to 2049, signed by the authority or by itself.
 * Written by hand, so that the tests need no program beside Node.
 */
export function makeCertificate(options: {
  readonly name: string;
  readonly signedBy?: Certificate;
  /** Whether it was good in 2020 alone. */
  readonly isExpired?: boolean;
  /** The one host that it is for, instead of localhost and 127.0.0.1. */
  readonly onlyHost?: string;
}): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = options.signedBy?.name ?? options.name;
  const signingKey = options.signedBy === undefined ? privateKey : createPrivateKey(options.signedBy.key);
  const tbs = sequence(
    tagged(0xa0, integer(Buffer.from([2]))), // version 3
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    ecdsaWithSha256,
    nameOf(issuer),
    sequence(time("200101000000Z"), time(options.isExpired ? "201231235959Z" : "491231235959Z")),
    nameOf(options.name),
    publicKey.export({ type: "spki", format: "der" }),
    tagged(
      0xa3,
      sequence(basicConstraints(options.signedBy === undefined), alternativeNames(options.onlyHost)),
    ),
  );
  const der = sequence(tbs, ecdsaWithSha256, bitString(signature(tbs, signingKey)));
  const base64 = der
    .toString("base64")
    .match(/.{1,64}/g)
    ?.join("\n");
  return {
    name: options.name,
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

function signature(tbs: Buffer, key: KeyObject): Buffer {
  return sign("sha256", tbs, key);
}

function tagged(tag: number, ...contents: readonly Buffer[]): Buffer {
  const body = Buffer.concat(contents);
  const length =
    body.length < 0x80
      ? Buffer.from([body.length])
      : body.length < 0x100
        ? Buffer.from([0x81, body.length])
        : Buffer.from([0x82, body.length >> 8, body.length & 0xff]);
  return Buffer.concat([Buffer.from([tag]), length, body]);
}

const sequence = (...contents: readonly Buffer[]) => tagged(0x30, ...contents);
const integer = (bytes: Buffer) => tagged(0x02, bytes);
const time = (text: string) => tagged(0x17, Buffer.from(text));
const bitString = (bytes: Buffer) => tagged(0x03, Buffer.concat([Buffer.from([0]), bytes]));
const octets = (bytes: Buffer) => tagged(0x04, bytes);
const identifier = (hex: string) => tagged(0x06, Buffer.from(hex, "hex"));

const ecdsaWithSha256 = sequence(identifier("2a8648ce3d040302"));
const nameOf = (name: string) =>
  sequence(tagged(0x31, sequence(identifier("550403"), tagged(0x0c, Buffer.from(name)))));
const basicConstraints = (isAuthority: boolean) =>
  sequence(identifier("551d13"), octets(sequence(...(isAuthority ? [Buffer.from([0x01, 0x01, 0xff])] : []))));
const alternativeNames = (onlyHost: string | undefined) =>
  sequence(
    identifier("551d11"),
    octets(
      onlyHost === undefined
        ? sequence(tagged(0x82, Buffer.from("localhost")), tagged(0x87, Buffer.from([127, 0, 0, 1])))
        : sequence(tagged(0x82, Buffer.from(onlyHost))),
    ),
  );
