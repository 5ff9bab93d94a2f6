import type { Job } from "./job.ts";

/** The headers of a gRPC request, besides :method and :scheme. */
export function requestHeaders(job: Job): [string, string][] {
  return [
    [":path", job.path],
    [":authority", `${job.host}:${job.port}`],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ["user-agent", "governance-bench"],
    ...Object.entries(job.headers),
  ];
}
