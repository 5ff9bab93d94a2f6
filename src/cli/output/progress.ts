import { SingleBar } from "cli-progress";

/** Progress on stderr. */
export type Progress = {
  /** `done` of the total, in the unit of the total; `text` is shown beside it. */
  update(done: number, text: string): void;
  /** Leaves the terminal as it was, the last state above the next line. */
  stop(): void;
};

/** Shows nothing. */
export const noProgress: Progress = { update: () => undefined, stop: () => undefined };

/** Shows progress where `stream` is a terminal, else does nothing. Without a total there is no bar to draw. */
export function createProgress(
  title: string,
  total: number | undefined,
  stream: NodeJS.WriteStream,
): Progress {
  if (!stream.isTTY) return noProgress;
  const single = new SingleBar({
    stream,
    format: total === undefined ? "{title}  {text}" : "{title}  {bar} {percentage} %  {text}",
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize: 24,
    hideCursor: true,
    fps: 8,
    gracefulExit: false, // Commands have signal handlers of their own.
  });
  single.start(total ?? 0, 0, { title, text: "" });
  return {
    update: (done, text) => single.update(done, { text }),
    stop: () => single.stop(),
  };
}
