import { randomBytes } from "node:crypto";
import { z } from "zod";

// "unique": 36 characters in the form of a random UUID, never the same twice.
// "pick": one of `of` numbers, in hexadecimal digits with leading zeros.
const slotSchema = z.object({
  offset: z.int(),
  width: z.int(),
  fill: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("unique") }),
    z.object({ kind: z.literal("pick"), of: z.int() }),
  ]),
});

/** A message with places in which every copy differs. */
export const templateSchema = z.object({ base64: z.string(), slots: z.array(slotSchema) });

export type Slot = z.infer<typeof slotSchema>;
export type Template = z.infer<typeof templateSchema>;

const uniqueWidth = 36;

/** Makes placeholders for a message under construction, and finds them again in its bytes. */
export function createTemplateBuilder() {
  const slots: { placeholder: string; width: number; fill: Slot["fill"] }[] = [];

  function placeholder(width: number, fill: Slot["fill"]): string {
    const text = `<${slots.length.toString(36).padStart(5, "0")}>`.padEnd(width, ".");
    if (text.length > width) throw new Error(`a placeholder needs ${text.length} characters, not ${width}`);
    slots.push({ placeholder: text, width, fill });
    return text;
  }

  return {
    /** 36 characters that are different in every copy and as random as a UUID in an index. */
    unique: () => placeholder(uniqueWidth, { kind: "unique" }),
    /** One of `of` numbers, as `width` hexadecimal digits; at least 7. */
    pick: (width: number, of: number) => placeholder(width, { kind: "pick", of }),
    /** The template of the message that these bytes encode. */
    build(message: Uint8Array): Template {
      const bytes = Buffer.from(message);
      const found = slots.map(({ placeholder, width, fill }) => {
        const offset = bytes.indexOf(placeholder);
        if (offset < 0 || bytes.includes(placeholder, offset + 1)) {
          throw new Error(`placeholder ${placeholder} has to be in the message once`);
        }
        return { offset, width, fill };
      });
      return { base64: bytes.toString("base64"), slots: found };
    },
  };
}

const digits = Buffer.from("0123456789abcdef");

/** Fills the slots of a copy that lies at `base` in `bytes`. */
export type Fill = (bytes: Buffer, base: number, slots: readonly Slot[]) => void;

/** Creates the filler of one process; no two processes make the same unique ids. */
export function createFill(): Fill {
  const nonce = randomBytes(5).toString("hex");
  const pattern = Buffer.from(
    `00000000-${nonce.slice(0, 4)}-4${nonce.slice(4, 7)}-8${nonce.slice(7)}-000000000000`,
  );
  let counter = 0;

  // The random digits come first, so that ids arrive in an index in random order, as UUIDs do.
  function unique(bytes: Buffer, at: number): void {
    pattern.copy(bytes, at);
    hex(bytes, at, 8, Math.floor(Math.random() * 2 ** 32));
    hex(bytes, at + 24, 12, counter++);
  }

  return (bytes, base, slots) => {
    for (const { offset, width, fill } of slots) {
      if (fill.kind === "unique") unique(bytes, base + offset);
      else hex(bytes, base + offset, width, Math.floor(Math.random() * fill.of));
    }
  };
}

function hex(bytes: Buffer, at: number, width: number, number: number): void {
  let rest = number;
  for (let i = at + width - 1; i >= at; i--) {
    bytes[i] = digits[rest % 16] ?? 0;
    rest = Math.floor(rest / 16);
  }
}
