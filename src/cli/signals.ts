import { constants } from "node:os";
import { CliError } from "./exitCodes.ts";

/** The signals that ask a command to stop. */
const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
export type StopSignal = (typeof stopSignals)[number];

/**
 * One Ctrl-C can arrive twice: from the terminal, and once more from npx or bin/governance.js, which
 * pass it on. What comes within this many milliseconds of the first is the same one.
 */
const sameSignalMs = 500;

/** What the shell expects of a command that a signal has ended. */
export function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/** The error of a command that stopped because it was asked to. */
export function stoppedBy(signal: StopSignal, message: string): CliError {
  return new CliError(signalExitCode(signal), message);
}

/** Calls back once when the command is asked to stop by one of the signals. Asked again, it ends at once. */
export function onStopSignal(
  stop: (signal: StopSignal) => void,
  signals: readonly StopSignal[] = stopSignals,
): void {
  let firstAtMs: number | undefined;
  for (const signal of signals) {
    process.on(signal, () => {
      if (firstAtMs === undefined) {
        firstAtMs = performance.now();
        stop(signal);
      } else if (performance.now() - firstAtMs > sameSignalMs) {
        process.exit(signalExitCode(signal));
      }
    });
  }
}

/** A signal that is aborted when the command is asked to stop; its reason is the CliError to end with. */
export function stopSignal(message: string): AbortSignal {
  const controller = new AbortController();
  onStopSignal((signal) => controller.abort(stoppedBy(signal, message)));
  return controller.signal;
}
