/** Filters as text: for the access log, and to tie a token to what it was made for. Absent ones are left out. */
export function textOfFilters(filters: object): string {
  return JSON.stringify(filters, (_, value: unknown) => {
    if (typeof value === "bigint") return value.toString();
    return value ?? undefined;
  });
}
