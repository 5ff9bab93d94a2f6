import { readFileSync } from "node:fs";
import { idMaxBytes } from "../ledger/action.ts";
import { topics } from "../reports/item.ts";
import { optionalText } from "../server/bounds.ts";
import { StartupError } from "../startupError.ts";

/** A stream of the bus, and what of it is meant. */
export type StreamSettings = { readonly stream: string; readonly subject: string };

/** How the bus is reached and what is read from and written to it (spec 001 §5, §22). */
export type BusSettings = {
  /** host:port each. */
  readonly servers: readonly string[];
  /** A NATS credentials file; read again for each connection. */
  readonly credentialsFile: string | undefined;
  /** Undefined: as the server asks, with the authorities the machine knows. */
  readonly tls:
    | {
        readonly caFile: string | undefined;
        readonly certFile: string | undefined;
        readonly keyFile: string | undefined;
      }
    | undefined;
  readonly actions: StreamSettings;
  readonly fills: StreamSettings;
  readonly deadLetters: StreamSettings;
  readonly reports: {
    readonly stream: string;
    readonly format: "json" | "protobuf";
    /** Where the log is first published from. */
    readonly from: "beginning" | "now";
  };
  /** Whether streams that are not there are made. */
  readonly createsStreams: boolean;
  /** Who has recorded what came over the bus. */
  readonly recordedBy: string;
};

const prefix = "GOVERNANCE_NATS_";

/** The settings of the bus; undefined when it is off. Throws a StartupError that names the setting. */
export function loadBus(env: NodeJS.ProcessEnv): BusSettings | undefined {
  const set = (name: string) => env[`${prefix}${name}`] || undefined;
  const servers = set("SERVERS");
  if (servers === undefined) {
    const lone = Object.keys(env).find((name) => name.startsWith(prefix) && env[name]);
    if (lone !== undefined) throw new StartupError(`${lone}: is set without ${prefix}SERVERS`);
    return undefined;
  }
  const stream = (name: string, usual: string) => streamName(name, set(name) ?? usual);
  const settings: BusSettings = {
    servers: servers.split(",").map(serverOf),
    credentialsFile: readable("CREDENTIALS_FILE", set("CREDENTIALS_FILE")),
    tls: tlsOf(set),
    actions: {
      stream: stream("ACTIONS_STREAM", "internal_event_stream"),
      subject: subjectOf("ACTIONS_SUBJECT", set("ACTIONS_SUBJECT") ?? "internal.event_stream"),
    },
    fills: {
      stream: stream("FILLS_STREAM", "internal_report_bus"),
      subject: subjectOf("FILLS_SUBJECT", set("FILLS_SUBJECT") ?? "internal.report_bus"),
    },
    deadLetters: {
      stream: stream("DEAD_LETTER_STREAM", "governance_dead_letters"),
      subject: subjectOf("DEAD_LETTER_SUBJECT", set("DEAD_LETTER_SUBJECT") ?? "governance.dead_letters"),
    },
    reports: {
      stream: stream("REPORTS_STREAM", "polytraders_reports"),
      format: oneOf("REPORTS_FORMAT", set("REPORTS_FORMAT"), ["json", "protobuf"]),
      from: oneOf("REPORTS_FROM", set("REPORTS_FROM"), ["beginning", "now"]),
    },
    createsStreams: oneOf("CREATE_STREAMS", set("CREATE_STREAMS"), ["true", "false"]) === "true",
    recordedBy: recordedBy(set("RECORDED_BY") ?? "event-stream"),
  };
  refuseCircles(settings);
  return settings;
}

function tlsOf(set: (name: string) => string | undefined): BusSettings["tls"] {
  const [caFile, certFile, keyFile] = (["CA_FILE", "CERT_FILE", "KEY_FILE"] as const).map((name) =>
    readable(name, set(name)),
  );
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new StartupError(`${prefix}CERT_FILE and ${prefix}KEY_FILE: set both, or neither`);
  }
  const usesTls = caFile !== undefined || certFile !== undefined || /tls:\/\//i.test(set("SERVERS") ?? "");
  return usesTls ? { caFile, certFile, keyFile } : undefined;
}

function serverOf(text: string): string {
  const match = /^(?:(?:nats|tls):\/\/)?([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/i.exec(text.trim());
  // The text itself may hold a password.
  if (match === null) {
    throw new StartupError(
      `${prefix}SERVERS: must be hosts like nats://host:4222, with commas between them; credentials go into ${prefix}CREDENTIALS_FILE`,
    );
  }
  return `${match[1]}:${match[2] ?? "4222"}`;
}

function readable(name: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    readFileSync(path);
    return path;
  } catch {
    throw new StartupError(`${prefix}${name}: ${path} cannot be read`);
  }
}

function streamName(name: string, text: string): string {
  if (/^[A-Za-z0-9_-]{1,128}$/.test(text)) return text;
  throw new StartupError(`${prefix}${name}: "${text}" is not 1 to 128 letters, digits, _ and -`);
}

function subjectOf(name: string, text: string): string {
  const wild = name === "DEAD_LETTER_SUBJECT" ? "" : "*";
  const pattern = wild === "" ? /^[\w-]+(\.[\w-]+)*$/ : /^([\w-]+|\*)(\.([\w-]+|\*))*(\.>)?$/;
  if (text.length <= 200 && pattern.test(text)) return text;
  throw new StartupError(`${prefix}${name}: "${text}" is not a subject like internal.event_stream`);
}

function oneOf<Value extends string>(
  name: string,
  text: string | undefined,
  values: readonly [Value, ...Value[]],
): Value {
  if (text === undefined) return values[0];
  const found = values.find((value) => value === text);
  if (found !== undefined) return found;
  throw new StartupError(`${prefix}${name}: "${text}" is not ${values.join(" or ")}`);
}

function recordedBy(text: string): string {
  try {
    return optionalText(`${prefix}RECORDED_BY`, text, idMaxBytes) ?? text;
  } catch {
    throw new StartupError(`${prefix}RECORDED_BY: must be a name of at most ${idMaxBytes} bytes`);
  }
}

/** What the service itself writes must not come back to it as something to record, nor a fill as an action. */
function refuseCircles({ actions, fills, deadLetters }: BusSettings): void {
  if (mayMeet(actions.subject, fills.subject)) {
    throw new StartupError(`${prefix}ACTIONS_SUBJECT and ${prefix}FILLS_SUBJECT: have messages in common`);
  }
  for (const [name, { subject }] of [
    ["ACTIONS_SUBJECT", actions],
    ["FILLS_SUBJECT", fills],
  ] as const) {
    for (const own of [deadLetters.subject, ...topics]) {
      if (mayMeet(subject, own))
        throw new StartupError(`${prefix}${name}: takes in ${own}, which the service itself writes to`);
    }
  }
}

/** Whether a message can be of both subjects. */
function mayMeet(one: string, other: string): boolean {
  const [a, b] = [one.split("."), other.split(".")];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [left, right] = [a[i], b[i]];
    if (left === undefined || right === undefined) return false;
    if (left === ">" || right === ">") return true;
    if (left !== right && left !== "*" && right !== "*") return false;
  }
  return true;
}
