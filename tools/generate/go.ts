import { join } from "node:path";
import { buf } from "./buf.ts";
import { run } from "./command.ts";
import { cache, root } from "./paths.ts";

const grpcPlugin = "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2";
// Without a version: the one gen/go/go.mod requires, so the generated code and the
// library it runs on are always the same and go.sum vouches for both.
const messagePlugin = "google.golang.org/protobuf/cmd/protoc-gen-go";

/** Everything but gen/go/go.mod and go.sum, which are kept by hand (go mod tidy). */
export function generateGo(base: string): void {
  const bin = join(cache, "go");
  for (const plugin of [messagePlugin, grpcPlugin]) {
    run("go", ["install", plugin], {
      cwd: join(root, "gen/go"),
      env: { GOBIN: bin },
      missing: "install Go 1.25 or later, or leave it out with --only",
    });
  }
  buf(["generate", "proto", "--template", "tools/generate/buf.gen.go.yaml", "--output", base], [bin]);
}
