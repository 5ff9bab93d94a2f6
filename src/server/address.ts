import { lookup } from "node:dns/promises";
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

/** Whether only this machine can reach the address; of localhost it is believed, see mustBeLocal. */
export function isLoopback(address: ListenAddress): boolean {
  const host = hostOf(address);
  return host === "localhost" || isLoopbackIp(host);
}

/**
 * Throws a StartupError when the host stands for an address that other machines can reach: what localhost is, this
 * machine's resolver says.
 */
export async function mustBeLocal(
  setting: string,
  address: ListenAddress,
  resolve: (host: string) => Promise<readonly { address: string }[]> = (host) => lookup(host, { all: true }),
): Promise<void> {
  const ips = await resolve(hostOf(address)).catch(() => []); // What is nowhere cannot be listened on either.
  for (const ip of ips) {
    if (isLoopbackIp(ip.address)) continue;
    const text = `${address.text} stands for ${ip.address} on this machine, which others can reach, and tokens are checked with the development key; listen on 127.0.0.1`;
    throw new StartupError(`${setting}: ${text}`);
  }
}

function hostOf(address: ListenAddress): string {
  return address.host.replace(/^\[|\]$/g, "");
}

function isLoopbackIp(ip: string): boolean {
  return ip === "::1" || (isIP(ip) === 4 && ip.startsWith("127."));
}
