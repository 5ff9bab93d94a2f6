import http from "node:http";
import type { Socket } from "node:net";

export type TicketRequest = {
  readonly method: string | undefined;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
};

type Behave = (request: TicketRequest, response: http.ServerResponse, socket: Socket) => void;

/** A real HTTP server in the place of a ticket system, which behaves as a test tells it. */
export type TicketServer = AsyncDisposable & {
  readonly url: string;
  /** Every request so far, in the order of arrival. */
  readonly requests: readonly TicketRequest[];
  /** How many connections were made so far. */
  connections(): number;
  behave(behave: Behave): void;
  /** Answers with JSON from now on. */
  answer(status: number, body: unknown, headers?: http.OutgoingHttpHeaders): void;
};

export async function startTicketServer(): Promise<TicketServer> {
  const requests: TicketRequest[] = [];
  let behaviour: Behave = json(404, {});
  let connections = 0;
  const server = http.createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk) => chunks.push(chunk));
    incoming.on("end", () => {
      const { method, url = "", headers } = incoming;
      const request = { method, url, headers, body: Buffer.concat(chunks).toString() };
      requests.push(request);
      behaviour(request, response, incoming.socket);
    });
  });
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    connections: () => connections,
    behave(behave) {
      behaviour = behave;
    },
    answer(status, body, headers) {
      behaviour = json(status, body, headers);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Answers every request with the JSON. */
export function json(status: number, body: unknown, headers: http.OutgoingHttpHeaders = {}): Behave {
  return (_, response) => {
    response.writeHead(status, { "content-type": "application/json;charset=UTF-8", ...headers });
    response.end(JSON.stringify(body));
  };
}

/** An issue as Jira gives it, of what the service asks for. */
export function issue(more: { key?: string; category?: string; fields?: Record<string, unknown> } = {}) {
  return {
    id: "10042",
    key: more.key ?? "PTRD-1042",
    fields: {
      status: { name: "In Progress", statusCategory: { id: 4, key: more.category ?? "indeterminate" } },
      created: "2020-01-01T09:00:00.000+0000",
      labels: [],
      duedate: null,
      resolutiondate: null,
      ...more.fields,
    },
  };
}

/** What Jira says of an issue that is not there. */
export const noIssue = {
  errorMessages: ["Issue does not exist or you do not have permission to see it."],
  errors: {},
};
