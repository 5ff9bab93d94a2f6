import { isIP } from "node:net";
import { StartupError } from "../startupError.ts";

export type ListenAddress = { readonly host: string; readonly port: number; readonly text: string };

/** Reads "host:port", IPv6 in brackets. Port 0 takes a free one. */
export function parseAddress(setting: string, text: string): ListenAddress {
  const match = /^(\[[0-9a-f:]+\]|[^:\s]+):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || port > 65_535) {
    throw new StartupError(`${setting}: "${text}" is not host:port, e.g. 127.0.0.1:50051`);
  }
  return { host: match[1], port, text };
}

/** Whether only this machine can reach the address. */
export function isLoopback(address: ListenAddress): boolean {
  const host = address.host.replace(/^\[|\]$/g, "");
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
