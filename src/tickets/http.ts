/** A request whose answer is JSON. */
export type JsonRequest = {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
};

export type JsonAnswer = { readonly status: number; readonly headers: Headers; readonly body: unknown };

/** What became of a request. Nothing of it is thrown: a ticket system that misbehaves is no defect of ours. */
export type Asked =
  | { readonly kind: "answered"; readonly answer: JsonAnswer }
  | {
      readonly kind: "failed";
      readonly why: "timeout" | "network" | "status" | "garbage";
      readonly status?: number;
    }
  /** 429, or any answer with Retry-After: asking earlier only makes it worse. */
  | { readonly kind: "throttled"; readonly status: number; readonly retryAfterMs: number | undefined };

/** An issue with every field asked for is a few KiB; a body beyond this is not read to its end. */
const bodyMaxBytes = 256 * 1024;

/** Statuses whose body says something about the ticket. */
const telling = new Set([200, 404]);

/**
 * Asks over Node's own fetch, which keeps connections alive. Redirects are not followed: a token must
 * not travel where nobody configured it to.
 */
export async function askJson(request: JsonRequest, withinMs: number, closing: AbortSignal): Promise<Asked> {
  const overdue = AbortSignal.timeout(withinMs);
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: { accept: "application/json", ...request.headers },
      ...(request.body === undefined ? {} : { body: request.body }),
      redirect: "manual",
      signal: AbortSignal.any([overdue, closing]),
    });
    const { status, headers } = response;
    const retryAfterMs = retryAfter(headers);
    if (status === 429 || (status >= 500 && retryAfterMs !== undefined)) {
      await response.body?.cancel();
      return { kind: "throttled", status, retryAfterMs };
    }
    if (!telling.has(status)) {
      await response.body?.cancel();
      return { kind: "failed", why: "status", status };
    }
    const body = isJson(headers.get("content-type")) ? await readBody(response) : undefined;
    if (body === undefined) {
      await response.body?.cancel();
      return { kind: "failed", why: "garbage", status };
    }
    return { kind: "answered", answer: { status, headers, body: JSON.parse(body) } };
  } catch (cause) {
    if (overdue.aborted) return { kind: "failed", why: "timeout" };
    return { kind: "failed", why: cause instanceof SyntaxError ? "garbage" : "network" };
  }
}

function isJson(contentType: string | null): boolean {
  return /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType ?? "");
}

/** The body as text; undefined when it is too long. What is left of it is not read: the connection goes. */
async function readBody(response: Response): Promise<string | undefined> {
  if (response.body === null) return undefined;
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    if (bytes > bodyMaxBytes) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** Retry-After in milliseconds: a number of seconds, or a date by the clock of who sent it. */
function retryAfter(headers: Headers): number | undefined {
  const text = headers.get("retry-after")?.trim();
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const ms = Date.parse(text) - Date.parse(headers.get("date") ?? "");
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
