import { gate, type Role } from "../../server/access.ts";
import { invalidField } from "../../server/failure.ts";

/**
 * Break-glass takes the role and a reason; neither alone does anything. A token that may ask the gate by
 * another role too writes as everybody does when it gives no reason. Throws INVALID_FIELD.
 */
export function checkBreakGlass(reason: string | null, roles: ReadonlySet<Role>): void {
  if (reason !== null && !roles.has("break-glass")) {
    throw invalidField("break_glass_reason", "is for tokens with the role break-glass; leave it out");
  }
  const hasOther = gate.some((role) => role !== "break-glass" && roles.has(role));
  if (reason === null && !hasOther) {
    throw invalidField(
      "break_glass_reason",
      "is required of the role break-glass: why the write cannot wait for a ticket",
    );
  }
}
