// npm run gen: everything under gen/, from proto/ and wire/.
import { mkdtempDisposableSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ToolError } from "./generate/command.ts";
import { generateGo } from "./generate/go.ts";
import { apply, differences } from "./generate/mirror.ts";
import { root } from "./generate/paths.ts";
import { generatePython } from "./generate/python.ts";
import { generateTypeScript } from "./generate/typescript.ts";

interface Language {
  /** Writes gen/<name> below a base folder. */
  readonly generate: (base: string) => void;
  /** Files in gen/<name> that are kept by hand. */
  readonly kept: readonly string[];
}

const languages: ReadonlyMap<string, Language> = new Map([
  ["ts", { generate: generateTypeScript, kept: [] }],
  ["python", { generate: generatePython, kept: [] }],
  ["go", { generate: generateGo, kept: ["go.mod", "go.sum"] }],
]);

const usage = `usage: npm run gen -- [--check] [--only ${[...languages.keys()].join("|")}]…
  --check  writes nothing; lists what is not as it would be generated, and exits 1
  --only   one language, on a machine that lacks the tools of the others`;

function main(): number {
  const { values } = parseArgs({
    options: {
      check: { type: "boolean" },
      only: { type: "string", multiple: true },
      help: { type: "boolean" },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const selected = [...languages].filter(([name]) => values.only?.includes(name) ?? true);
  if (values.only?.some((name) => !languages.has(name))) throw new ToolError(usage);

  // First all languages, elsewhere: a run that fails leaves gen/ as it was.
  using base = mkdtempDisposableSync(join(tmpdir(), "governance-gen-"));
  for (const [, language] of selected) language.generate(base.path);

  let different = 0;
  for (const [name, { kept }] of selected) {
    const fresh = join(base.path, "gen", name);
    const committed = join(root, "gen", name);
    const changes = differences(fresh, committed, kept);
    for (const { file, kind } of changes) console.log(`${kind.padEnd(8)} gen/${name}/${file}`);
    if (!values.check) apply(changes, fresh, committed);
    different += changes.length;
  }
  if (!values.check || different === 0) {
    console.log(`gen: ${different === 0 ? "up to date" : `${different} files written or removed`}`);
    return 0;
  }
  console.error(`gen: ${different} files are not what proto/ and wire/ generate: run npm run gen`);
  return 1;
}

try {
  process.exitCode = main();
} catch (error) {
  if (!(error instanceof ToolError || isUsageError(error))) throw error;
  console.error(`gen: ${error.message}`);
  process.exitCode = 1;
}

function isUsageError(error: unknown): error is TypeError {
  return error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
}
