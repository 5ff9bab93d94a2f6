import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { nkeys } from "@nats-io/transport-node";
import { writeCertificate } from "../../support/certificate.ts";

/** The configuration of a server that speaks TLS alone, to those with credentials; what each of them may do. */
export async function securedServer(folder: string) {
  const { cert, key } = await writeCertificate(folder);
  const operator = nkeys.createOperator();
  const [system, account] = [nkeys.createAccount(), nkeys.createAccount()];
  const accountClaims = (limits: object) => ({ type: "account", version: 2, limits });
  const unlimited = {
    subs: -1,
    data: -1,
    payload: -1,
    conn: -1,
    leaf: -1,
    imports: -1,
    exports: -1,
    wildcards: true,
  };
  const jetstream = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const jwts = {
    operator: signed(operator, operator, {
      type: "operator",
      version: 2,
      system_account: system.getPublicKey(),
    }),
    system: signed(operator, system, accountClaims(unlimited)),
    account: signed(operator, account, accountClaims({ ...unlimited, ...jetstream })),
  };
  const config = join(folder, "nats.conf");
  await writeFile(
    config,
    `operator: ${jwts.operator}
    system_account: ${system.getPublicKey()}
    resolver: MEMORY
    resolver_preload: { ${system.getPublicKey()}: ${jwts.system}, ${account.getPublicKey()}: ${jwts.account} }
    tls: { cert_file: "${cert}", key_file: "${key}" }
    `,
  );
  async function credentials(name: string, may: { publish: string[]; subscribe: string[] }): Promise<string> {
    const user = nkeys.createUser();
    const rights = {
      pub: { allow: may.publish },
      sub: { allow: may.subscribe },
      subs: -1,
      data: -1,
      payload: -1,
    };
    const jwt = signed(account, user, { type: "user", version: 2, ...rights });
    const seed = new TextDecoder().decode(user.getSeed());
    const path = join(folder, `${name}.creds`);
    await writeFile(
      path,
      `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n
-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
    );
    return path;
  }
  return { config, credentials, authority: cert };
}

type KeyPair = ReturnType<typeof nkeys.createUser>;

/** A claim as NATS reads it: a JWT whose issuer and subject are nkeys. */
function signed(by: KeyPair, about: KeyPair, nats: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = {
    jti: about.getPublicKey(),
    iat: 1_700_000_000,
    iss: by.getPublicKey(),
    sub: about.getPublicKey(),
    nats,
  };
  const text = `${part({ typ: "JWT", alg: "ed25519-nkey" })}.${part(claims)}`;
  return `${text}.${Buffer.from(by.sign(Buffer.from(text))).toString("base64url")}`;
}
