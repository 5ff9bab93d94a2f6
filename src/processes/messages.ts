/** What the first process says to one that it has started. */
export type ToChild =
  | {
      readonly kind: "serve";
      /** From 1 on. */
      readonly process: number;
      readonly of: number;
      /** The embedded Postgres, which the first process runs; undefined: the settings tell. */
      readonly postgres: { readonly url: string; readonly adminUrl: string } | undefined;
    }
  | { readonly kind: "stop" | "reload" }
  /** The process's own metrics are asked for. */
  | { readonly kind: "giveMetrics"; readonly id: number }
  /** The answer to askMetrics. */
  | { readonly kind: "metricsOfAll"; readonly id: number; readonly text: string };

/** What a started process says to the first one. */
export type ToSupervisor =
  | {
      readonly kind: "ready";
      readonly grpcPort: number;
      readonly httpPort: number;
      readonly isDatabaseReady: boolean;
    }
  /** It cannot start, or not go on; it ends. */
  | { readonly kind: "failed"; readonly why: string }
  /** The answer to giveMetrics. */
  | { readonly kind: "metrics"; readonly id: number; readonly text: string }
  /** Somebody has asked it for the metrics of all. */
  | { readonly kind: "askMetrics"; readonly id: number };

/** What of it whoever keeps the process passes on. */
export type Said = Exclude<ToSupervisor, { kind: "failed" }>;
export type Ready = Extract<ToSupervisor, { kind: "ready" }>;
export type Serve = Extract<ToChild, { kind: "serve" }>;

const toChild = new Set<unknown>(["serve", "stop", "reload", "giveMetrics", "metricsOfAll"]);
const toSupervisor = new Set<unknown>(["ready", "failed", "metrics", "askMetrics"]);

/** The channel is node:cluster's too: whatever else comes over it is not for us. */
export function isToChild(message: unknown): message is ToChild {
  return typeof message === "object" && message !== null && "kind" in message && toChild.has(message.kind);
}

export function isToSupervisor(message: unknown): message is ToSupervisor {
  return (
    typeof message === "object" && message !== null && "kind" in message && toSupervisor.has(message.kind)
  );
}

/** Questions that went to another process, by their ids. */
export type Questions = {
  /** Sends a question; resolves with its answer, or undefined when none comes within that time. */
  ask(send: (id: number) => void, withinMs: number): Promise<string | undefined>;
  answered(id: number, text: string): void;
};

export function createQuestions(): Questions {
  const waiting = new Map<number, (text: string | undefined) => void>();
  let lastId = 0;
  return {
    ask(send, withinMs) {
      const id = ++lastId;
      return new Promise((resolve) => {
        const end = (text: string | undefined) => {
          clearTimeout(timer);
          waiting.delete(id);
          resolve(text);
        };
        const timer = setTimeout(end, withinMs, undefined);
        waiting.set(id, end);
        send(id);
      });
    },
    answered: (id, text) => waiting.get(id)?.(text),
  };
}
