/** No ending is longer, so no more of a name is looked at. */
const tailChars = 64;

/** Ends of a name that no word ends in by chance, whatever stands before them: case, "_" and "-" do not count. */
const secretEnding =
  /(?:token|secret|password|passphrase|credential|(?:api|private|secret|access|signing|master)key)s?$/;

/** "key" as a word of its own, at a sign or a hump: api_key, rpc.key, apiKey, APIKey; not monkey. */
const keyWord = /(?:^|[^A-Za-z])[Kk][Ee][Yy][Ss]?$|Keys?$|[a-z]KEYS?$/;

/**
 * Whether a parameter or a member of this name holds a secret: it is or ends in one of the usual words, in
 * the plural too. Numbers and signs behind the word do not count: token_2.
 */
export function isSecretName(name: string): boolean {
  let end = name.length;
  while (end > 0 && !isLetter(name.charCodeAt(end - 1))) end--;
  // Letters of other widths read the same.
  const tail = name.slice(Math.max(0, end - tailChars), end).normalize("NFKC");
  return keyWord.test(tail) || secretEnding.test(tail.replace(/[_-]/g, "").toLowerCase());
}

function isLetter(code: number): boolean {
  const lower = code | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || code > 0x7f;
}
