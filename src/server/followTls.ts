import type { Logger } from "pino";
import type { TlsFiles } from "./tls.ts";

/**
 * Reads the files of the TLS settings again and again, and hands on what is new: a renewed certificate serves new
 * connections without a restart. Files that are wrong, or half written, change nothing and are logged once.
 */
export function followTls(
  first: TlsFiles,
  options: { readonly everyMs: number; readonly renew: (files: TlsFiles) => void; readonly log: Logger },
): Disposable {
  const { log } = options;
  let current = first;
  let problem: string | undefined;
  const looking = setInterval(() => {
    try {
      const read = current.readAgain();
      problem = undefined;
      if (isSame(read, current)) return;
      options.renew(read);
      current = read;
      log.info("the TLS certificate was renewed");
    } catch (cause) {
      const message = String(cause);
      if (message !== problem) log.warn({ err: cause }, "the new TLS files are refused; the former stay");
      problem = message;
    }
  }, options.everyMs).unref();
  return { [Symbol.dispose]: () => clearInterval(looking) };
}

function isSame(a: TlsFiles, b: TlsFiles): boolean {
  const ca = (files: TlsFiles) => files.clientCa ?? Buffer.alloc(0);
  return a.cert.equals(b.cert) && a.key.equals(b.key) && ca(a).equals(ca(b));
}
