import { buf } from "./buf.ts";

/** The contract, and the wire formats that only this service itself needs. */
export function generateTypeScript(base: string): void {
  for (const module of ["proto", "wire"]) {
    buf(["generate", module, "--template", "buf.gen.yaml", "--output", base]);
  }
}
