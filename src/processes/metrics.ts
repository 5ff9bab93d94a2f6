import { Counter, Gauge, Registry } from "prom-client";
import { inRounds } from "../server/rounds.ts";
import { createQuestions } from "./messages.ts";

/**
 * Puts pages of metrics together. All samples of a metric belong behind one header; the pages' labels tell them apart.
 */
export function joinPages(pages: readonly string[]): string {
  const blocks = new Map<string, string[]>();
  for (const page of pages) {
    let block: string[] = [];
    for (const line of page.split("\n")) {
      const name = /^# HELP (\S+)/.exec(line)?.[1];
      if (name !== undefined) {
        block = blocks.get(name) ?? [];
        if (block.length === 0) blocks.set(name, block);
        else continue;
      } else if (line === "" || (line.startsWith("#") && block.includes(line))) continue;
      block.push(line);
    }
  }
  return `${[...blocks.values()].map((block) => block.join("\n")).join("\n\n")}\n`;
}

/** A process that can be asked for its metrics. */
type Asked = {
  readonly process: number;
  /** Asks it; it answers by `answered`. False: it cannot be asked now. */
  ask(id: number): boolean;
};

/** The metrics of all processes. */
export type MetricsOfAll = {
  text(): Promise<string>;
  answered(id: number, text: string): void;
  restarted(process: number): void;
};

/** A process that does not answer for so long is left out. */
const answerWithinMs = 1_000;
/** Each process bounds how often it is asked itself; so do they together. */
const everyMs = 100;

export function createMetricsOfAll(processes: readonly Asked[]): MetricsOfAll {
  const own = new Registry();
  const labelNames = ["process"] as const;
  const up = new Gauge({
    name: "polytraders_gov_process_up",
    help: "1 when the process answered for its metrics, 0 when it did not, and they are missing.",
    labelNames,
    registers: [own],
  });
  const restarts = new Counter({
    name: "polytraders_gov_process_restarts_total",
    help: "Times that the process ended by itself and was started again.",
    labelNames,
    registers: [own],
  });
  for (const { process } of processes) restarts.labels(String(process)).inc(0);
  const questions = createQuestions();

  async function page({ process, ask }: Asked): Promise<string> {
    const text = await questions.ask((id) => {
      if (!ask(id)) questions.answered(id, "");
    }, answerWithinMs);
    up.labels(String(process)).set(text ? 1 : 0);
    return text ?? "";
  }

  return {
    text: inRounds(everyMs, async () => {
      const pages = await Promise.all(processes.map(page));
      return joinPages([await own.metrics(), ...pages]);
    }),
    answered: questions.answered,
    restarted: (process) => restarts.labels(String(process)).inc(),
  };
}
