import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "./command.ts";
import { root } from "./paths.ts";
import { pythonWith } from "./python-venv.ts";

/** The contract as the typed Python package polytraders.governance.v1, which clients/python builds into its wheel. */
export function generatePython(base: string): void {
  const requirements = readFileSync(join(import.meta.dirname, "requirements.txt"), "utf8");
  const python = pythonWith(requirements);
  const out = join(base, "gen/python");
  mkdirSync(out, { recursive: true });

  const files = globSync("**/*.proto", { cwd: join(root, "proto") }).sort();
  // A stub for a file without a service is an empty module.
  const withServices = files.filter((file) =>
    /^service /m.test(readFileSync(join(root, "proto", file), "utf8")),
  );
  const protoc = (outputs: readonly string[], inputs: readonly string[]): void => {
    run(python, ["-m", "grpc_tools.protoc", "-I", "proto", ...outputs, ...inputs], {
      binDirs: [dirname(python)],
      cwd: root,
      // mypy-protobuf's own code is a major version older than the library beside it, and says so each time.
      env: { PYTHONWARNINGS: "ignore" },
      missing: "delete .cache/gen/python and try again",
    });
  };
  protoc([`--python_out=${out}`, `--pyi_out=${out}`], files);
  protoc([`--grpc_python_out=${out}`, `--mypy_grpc_out=quiet:${out}`], withServices);

  for (const folder of new Set(files.map((file) => join(out, file, "..")))) {
    writeFileSync(
      join(folder, "__init__.py"),
      '"""The generated messages and clients of the governance service."""\n',
    );
    // Tells type checkers to read the .pyi files.
    writeFileSync(join(folder, "py.typed"), "");
  }
}
