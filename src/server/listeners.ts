import type { Logger } from "pino";
import { mustBeLocal } from "./address.ts";
import { followTls } from "./followTls.ts";
import { type GrpcLimits, listenGrpc } from "./grpcListener.ts";
import { type HttpLimits, listenHttp } from "./httpListener.ts";

type Grpc = Parameters<typeof listenGrpc>[0];
type Http = Parameters<typeof listenHttp>[0];

export type Listeners = {
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Both take no new calls, let those under way end for at most graceMs, then cut them. */
  close(graceMs: number): Promise<void>;
};

/** Opens both listeners, or neither. Throws a StartupError. */
export async function listen(
  options: Omit<Grpc & Http, "address" | "limits"> & {
    readonly grpcAddress: Grpc["address"];
    readonly httpAddress: Http["address"];
    readonly limits: GrpcLimits & HttpLimits & { readonly tlsFilesEveryMs: number };
    /** Whether no other machine may reach them, as with the development key. */
    readonly isLocalOnly: boolean;
    readonly log: Logger;
  },
): Promise<Listeners> {
  if (options.isLocalOnly) {
    await mustBeLocal("GOVERNANCE_GRPC_ADDR", options.grpcAddress);
    await mustBeLocal("GOVERNANCE_HTTP_ADDR", options.httpAddress);
  }
  const grpc = await listenGrpc({ ...options, address: options.grpcAddress });
  try {
    const http = await listenHttp({ ...options, address: options.httpAddress });
    const following =
      options.tls === undefined
        ? undefined
        : followTls(options.tls, {
            everyMs: options.limits.tlsFilesEveryMs,
            renew: (files) => {
              grpc.renew(files);
              http.renew(files);
            },
            log: options.log,
          });
    return {
      grpcPort: grpc.port,
      httpPort: http.port,
      async close(graceMs) {
        following?.[Symbol.dispose]();
        await Promise.all([grpc.close(graceMs), http.close(graceMs)]);
      },
    };
  } catch (cause) {
    await grpc.close(0);
    throw cause;
  }
}
