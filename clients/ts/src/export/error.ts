/**
 * Why there is no whole export. "cut": it ended before its trailer, and the same call goes on. "damaged": what came is
 * not what the service says it sent, and the same call begins anew. "exists": the file is complete, or no export.
 * "other-filters": the file was begun with others. "state": what is kept beside the file does not fit it.
 */
export type ExportProblem = "cut" | "damaged" | "exists" | "other-filters" | "state";

export class ExportError extends Error {
  override readonly name = "ExportError";
  readonly kind: ExportProblem;

  constructor(kind: ExportProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
