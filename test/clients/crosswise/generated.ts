// The code that a client has which was generated when the contract was released, and the programs on it.
import { cpSync, mkdirSync, mkdtempDisposableSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFileRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { buf } from "../../../tools/generate/buf.ts";
import { run } from "../../../tools/generate/command.ts";
import { cache, root } from "../../../tools/generate/paths.ts";
import { pythonWith } from "../../../tools/generate/python-venv.ts";

const image = join(root, "contract/released.binpb");

export function releasedContract(): FileRegistry {
  return contractOf(image);
}

/** Of an image, or of a folder with proto files. */
export function contractOf(source: string): FileRegistry {
  using folder = mkdtempDisposableSync(join(tmpdir(), "governance-contract-"));
  const built = join(folder.path, "image.binpb");
  buf(["build", source, "--output", built]);
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(built)));
}

/** Writes gen/ts, gen/python and gen/go below a folder, as tools/generate does for today's contract. */
export function generateReleased(folder: string): void {
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  buf(["generate", image, "--template", "buf.gen.yaml", "--output", folder]);
  buf(
    ["generate", image, "--template", "tools/generate/buf.gen.go.yaml", "--output", folder],
    [join(cache, "go")],
  );
  for (const file of ["go.mod", "go.sum"]) cpSync(join(root, "gen/go", file), join(folder, "gen/go", file));

  const python = join(folder, "gen/python");
  const module = join(python, "polytraders/governance/v1");
  mkdirSync(module, { recursive: true });
  writeFileSync(join(module, "__init__.py"), "");
  const interpreter = pythonWith(readFileSync(join(root, "tools/generate/requirements.txt"), "utf8"));
  const files = [...releasedContract()]
    .filter((type) => type.kind === "service" || type.kind === "message" || type.kind === "enum")
    .map((type) => `${type.file.name}.proto`)
    .filter((file) => file.startsWith("polytraders/"));
  run(
    interpreter,
    [
      "-m",
      "grpc_tools.protoc",
      `--descriptor_set_in=${image}`,
      `--python_out=${python}`,
      `--grpc_python_out=${python}`,
      ...new Set(files),
    ],
    { missing: "delete .cache/gen/python and try again" },
  );
}

/** Builds the Go program on the generated code of a folder. */
export function buildGo(source: string, folder: string, tags: string): string {
  const program = join(folder, `records-${tags}`);
  const module = join(folder, "go.mod");
  const manifest = readFileSync(join(source, "go.mod"), "utf8");
  writeFileSync(module, manifest.replace(/=> .*gen\/go/, `=> ${join(folder, "gen/go")}`));
  cpSync(join(source, "go.sum"), join(folder, "go.sum"));
  run("go", ["build", `-modfile=${module}`, `-tags=${tags}`, "-o", program, "."], {
    cwd: source,
    missing: "install Go 1.25 or later",
  });
  return program;
}
