import { decodeHuffman } from "./huffman.ts";

// The names of the static table (RFC 7541, appendix A), from index 1. The values are needed for no header
// that is looked at here.
const staticNames =
  `:authority :method :method :path :path :scheme :scheme :status :status :status :status :status :status
:status accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age
allow authorization cache-control content-disposition content-encoding content-language content-length
content-location content-range content-type cookie date etag expect expires from host if-match
if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards
proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie
strict-transport-security transfer-encoding user-agent vary via www-authenticate`.split(/\s+/);

const firstDynamicIndex = staticNames.length + 1;
const entryOverheadBytes = 32;

/** What both sides hold of a dynamic table unless a SETTINGS frame says otherwise, in bytes. */
export const defaultTableBytes = 4096;

/** The header blocks of a connection's requests, which all have the same headers. */
export interface RequestBlocks {
  /** Of the first request: puts the headers into the server's dynamic table. */
  first: Buffer;
  /** Of every later request: names the table's entries, as any real client would. */
  later: Buffer;
}

/** Encodes the headers of a gRPC call over plaintext. */
export function encodeRequestHeaders(headers: readonly (readonly [string, string])[]): RequestBlocks {
  const postOverHttp = [0x83, 0x86];
  const literals = headers.map(([name, value]) =>
    Buffer.concat([Buffer.of(0x40), encodeString(name), encodeString(value)]),
  );
  const tableBytes = headers.reduce((sum, [name, value]) => sum + entryBytes(name, value), 0);
  if (tableBytes > defaultTableBytes) {
    throw new Error(`request headers of ${tableBytes} bytes do not fit the table of ${defaultTableBytes}`);
  }
  // The entry added last has the lowest index.
  const references = headers.map((_, i) => 0x80 | (firstDynamicIndex + headers.length - 1 - i));
  return {
    first: Buffer.concat([Buffer.from(postOverHttp), ...literals]),
    later: Buffer.from([...postOverHttp, ...references]),
  };
}

/** What a header block says of the outcome of a call. */
export interface HeaderDecoder {
  /** Decodes a block, in the order of the blocks on the connection. Returns grpc-status; undefined without. */
  decode(block: Buffer): number | undefined;
  /** The grpc-message seen last, percent-encoded as it came. */
  readonly lastMessage: string;
}

interface Entry {
  name: string;
  value: string;
}

/** Decodes the header blocks that a server sends on one connection. */
export function createHeaderDecoder(): HeaderDecoder {
  const table: Entry[] = [];
  let tableBytes = 0;
  let tableLimit = defaultTableBytes;
  let block: Buffer = Buffer.alloc(0);
  let at = 0;
  let status: number | undefined;
  let lastMessage = "";

  function integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = block.readUInt8(at++) & mask;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      const byte = block.readUInt8(at++);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  function text(): string {
    const huffman = (block.readUInt8(at) & 0x80) !== 0;
    const length = integer(7);
    const bytes = block.subarray(at, at + length);
    at += length;
    return huffman ? decodeHuffman(bytes) : bytes.toString("latin1");
  }

  function literal(nameIndex: number): Entry {
    const name = nameIndex === 0 ? text() : nameAt(nameIndex);
    return { name, value: text() };
  }

  function nameAt(index: number): string {
    return index < firstDynamicIndex ? (staticNames[index - 1] ?? "") : entryAt(index).name;
  }

  function entryAt(index: number): Entry {
    const entry = table[index - firstDynamicIndex];
    if (entry === undefined) throw new Error(`header index ${index} is not in the table`);
    return entry;
  }

  function evict(): void {
    while (tableBytes > tableLimit) {
      const oldest = table.pop();
      if (oldest === undefined) break;
      tableBytes -= entryBytes(oldest.name, oldest.value);
    }
  }

  function add(entry: Entry): void {
    table.unshift(entry);
    tableBytes += entryBytes(entry.name, entry.value);
    evict();
  }

  function see(entry: Entry): void {
    if (entry.name === "grpc-status") status = Number(entry.value);
    if (entry.name === "grpc-message") lastMessage = entry.value;
  }

  function field(): void {
    const byte = block.readUInt8(at);
    if (byte & 0x80) {
      const index = integer(7);
      if (index >= firstDynamicIndex) see(entryAt(index));
    } else if (byte & 0x40) {
      const entry = literal(integer(6));
      add(entry);
      see(entry);
    } else if (byte & 0x20) {
      tableLimit = integer(5);
      evict();
    } else {
      see(literal(integer(4)));
    }
  }

  return {
    decode(bytes) {
      block = bytes;
      at = 0;
      status = undefined;
      while (at < block.length) field();
      return status;
    },
    get lastMessage() {
      return lastMessage;
    },
  };
}

function entryBytes(name: string, value: string): number {
  return name.length + value.length + entryOverheadBytes;
}

/** A string literal without Huffman coding. */
function encodeString(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([encodeLength(bytes.length), bytes]);
}

function encodeLength(length: number): Buffer {
  if (length < 127) return Buffer.of(length);
  const out = [127];
  let rest = length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) | 0x80);
  out.push(rest);
  return Buffer.from(out);
}
