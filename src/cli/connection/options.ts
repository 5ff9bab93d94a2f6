import { type Command, InvalidArgumentError, Option } from "commander";
import { parseAddress } from "../../server/address.ts";
import { StartupError } from "../../startupError.ts";

/** How to reach the service, from options and environment. */
export type ConnectionOptions = {
  /** "host:port". */
  readonly address: string;
  readonly tls?: true;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly token?: string;
};

const defaultAddress = "127.0.0.1:50051";

/** Adds the options that every command has that calls the service, and what its help says of tokens. */
export function addConnectionOptions(command: Command, role: string): Command {
  return command
    .optionsGroup("Connection:")
    .addOption(
      new Option("--address <host:port>", "the service's gRPC listener")
        .env("GOVERNANCE_GRPC_ADDR")
        .default(defaultAddress)
        .argParser(address),
    )
    .option("--tls", "speak TLS")
    .option("--tls-ca <file>", "trust this certificate authority (PEM); implies --tls")
    .option(
      "--tls-cert <file>",
      "show this certificate (PEM), where the service asks for one; with --tls-key",
    )
    .option("--tls-key <file>", "its private key (PEM)")
    .addOption(
      new Option("--token <jwt>", "the bearer token to call with").env("GOVERNANCE_TOKEN").argParser(token),
    )
    .addHelpText(
      "after",
      `
Without a token, and where the data folder (GOVERNANCE_DATA_DIR, default .governance) holds the key that
a service without configured keys makes, a development token with the role ${role} is made on the fly.`,
    );
}

function address(value: string): string {
  if (value === "") return defaultAddress;
  try {
    const { port } = parseAddress("--address", value);
    if (port !== 0) return value;
  } catch (cause) {
    if (!(cause instanceof StartupError)) throw cause;
    throw new InvalidArgumentError("It is not host:port, e.g. 127.0.0.1:50051.");
  }
  throw new InvalidArgumentError("Port 0 lets the service take a free one; give the port that it printed.");
}

/** An empty GOVERNANCE_TOKEN counts as none. */
function token(value: string): string {
  const trimmed = value.trim();
  // The value itself is a secret, so commander must not print it: what is wrong is told when it is used.
  return trimmed;
}
