/**
 * Filters as text: for the access log, and to tie a token to what it was made for. Names are the
 * contract's, in snake_case; absent ones are left out.
 */
export function textOfFilters(filters: object): string {
  const given = Object.entries(filters).filter(([, value]) => value !== null && value !== undefined);
  return JSON.stringify(
    Object.fromEntries(
      given.map(([name, value]) => [
        name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        typeof value === "bigint" ? value.toString() : value,
      ]),
    ),
  );
}
