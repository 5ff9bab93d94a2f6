import { topics } from "../reports/item.ts";
import type { Link } from "./connection.ts";
import type { BusSettings } from "./settings.ts";

/** A stream as the bus has it. */
export type StreamState = {
  readonly name: string;
  /** When it was made: another stream of the same name has another time. */
  readonly created: string;
  readonly firstSequence: number;
  readonly lastSequence: number;
};

const minutes = 60 * 1_000_000_000; // The bus counts in nanoseconds.
const days = 24 * 60 * minutes;

/** How long streams that the service makes keep their messages, and know ids of messages. */
const keptNs = 30 * days;
const idsKeptNs = 10 * minutes;

/** Looks at a stream; makes it first where it is not there and the settings let it. Throws what the bus says. */
export async function lookAtStream(link: Link, name: string, settings: BusSettings): Promise<StreamState> {
  try {
    return await stateOf(link, name);
  } catch (cause) {
    if (!settings.createsStreams || !isStreamNotFound(cause)) throw cause;
  }
  const config = {
    storage: "file",
    retention: "limits",
    max_age: keptNs,
    duplicate_window: idsKeptNs,
  } as const;
  // Another replica may make the same one at this moment: the same again is no error.
  await link.jsm.streams.add({ ...config, name, subjects: subjectsOf(name, settings) });
  return stateOf(link, name);
}

async function stateOf(link: Link, name: string): Promise<StreamState> {
  const { created, state } = await link.jsm.streams.info(name);
  return { name, created, firstSequence: state.first_seq, lastSequence: state.last_seq };
}

/** Everything that the settings put into the stream: one may have several of the subjects. */
function subjectsOf(name: string, { actions, fills, deadLetters, reports }: BusSettings): string[] {
  const subjects = [actions, fills, deadLetters].filter(({ stream }) => stream === name);
  return [...subjects.map(({ subject }) => subject), ...(reports.stream === name ? topics : [])];
}

/** JetStream's own code for it. */
const streamNotFound = 10_059;

function isStreamNotFound(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === streamNotFound;
}
