/** No ending is longer, so no more of a name is looked at. */
const tailChars = 64;

/**
 * Ends of a name that no word ends in by chance, whatever stands before them: case, "_" and "-" do not count.
 * Tokens in the plural are assets more often than not, so they take a word that says otherwise.
 */
const secretEnding =
  /(?:token|(?:secret|password|passphrase|credential|(?:access|api|auth|bearer|refresh|session)token|(?:api|private|secret|access|signing|master)key)s?)$/;

/** "key" as a word of its own, at a sign or a hump: api_key, rpc.key, apiKey, APIKey; not monkey. */
const keyWord = /(?:^|[^A-Za-z])[Kk][Ee][Yy][Ss]?$|Keys?$|[a-z]KEYS?$/;

/**
 * Whether a parameter or a member of this name holds a secret: it is or ends in one of the usual words.
 * Numbers and signs behind the word do not count: token_2.
 */
export function isSecretName(name: string): boolean {
  const tail = endOf(name);
  return keyWord.test(tail) || secretEnding.test(tail.replace(/[_-]/g, "").toLowerCase());
}

/**
 * Whether the value of that name, exact JSON text, is a secret. Where assets are traded a token is as often
 * one of those: its address on the chain is public, and no token that opens a door is spelt like one.
 */
export function isSecret(name: string, text: string): boolean {
  return isSecretName(name) && !(addressText.test(text) && /token$/i.test(endOf(name)));
}

const addressText = /^"0x[0-9a-fA-F]{40}"$/;

/** The last letters of a name and what stands between them. */
function endOf(name: string): string {
  let end = name.length;
  while (end > 0 && !isLetter(name.charCodeAt(end - 1))) end--;
  // Letters of other widths read the same.
  return name.slice(Math.max(0, end - tailChars), end).normalize("NFKC");
}

function isLetter(code: number): boolean {
  const lower = code | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || code > 0x7f;
}
