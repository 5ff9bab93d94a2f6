/** The JSON Pointers that were stored as a JSON array; null stands for none. */
export function pointersOf(json: string | null): readonly string[] {
  if (json === null) return none;
  const pointers: unknown = JSON.parse(json);
  return Array.isArray(pointers) ? pointers.filter((pointer) => typeof pointer === "string") : none;
}

const none: readonly string[] = [];
