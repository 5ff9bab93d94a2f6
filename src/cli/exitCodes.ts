/** What the command's exit codes mean. Scripts depend on them: add, never change. */
export const exitCodes = {
  ok: 0,
  cannotStart: 1,
  usage: 2,
  notAllowed: 3,
  incomplete: 4,
  refused: 5,
  unreachable: 6,
  verdictsChange: 7,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The table that `governance --help` prints. */
export const exitCodesHelp = `Exit codes:
  0  done; check-write, config set: the write is allowed
  1  cannot start: a setting, a file, the database or the token is missing or not usable; policy check: a mistake
  2  bad usage: an option or an argument is wrong
  3  check-write, config set: the write is not allowed
  4  export: cut before its end; run it again with --resume; policy replay, shadow: the history was cut; spool drain: records
     are left, or were lost
  5  refused by the service; replay: at least one row was refused; spool drain: records are refused
  6  the service cannot be reached
  7  policy replay --fail-on-change: verdicts would change
  128 + n  stopped by signal n, e.g. 130 after Ctrl-C`;

/** The command ends with `exitCode` and `message` as its one line on stderr. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
