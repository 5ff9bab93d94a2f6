/** Microseconds of an RFC 3339 time, or of Jira's form of it, whose offset has no colon; else undefined. */
export function microsOfTime(text: string | null | undefined): number | undefined {
  const parts = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?)(Z|[+-]\d\d):?(\d\d)?$/.exec(text ?? "");
  if (parts === null) return undefined;
  const [, time = "", zone = "", minutes = "00"] = parts;
  const ms = Date.parse(zone === "Z" ? `${time}Z` : `${time}${zone}:${minutes}`);
  return Number.isNaN(ms) ? undefined : ms * 1000;
}

/** The first microsecond behind a calendar date in UTC; undefined when the text is none. */
export function endOfDayMicros(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return undefined;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(ms) ? undefined : (ms + 86_400_000) * 1000;
}
