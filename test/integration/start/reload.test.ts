import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { createTestDatabase } from "../../support/database.ts";
import { start } from "./command.ts";

test("SIGHUP reads the config file again and stops nothing; SIGTERM still does", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "governance-reload-"));
  await using database = await createTestDatabase();
  const file = join(folder.path, "config.yaml");
  await writeFile(file, "tiers: { risk.*: P1 }\n");
  await using service = start({
    DATABASE_URL: database.url("service"),
    GOVERNANCE_DATA_DIR: join(folder.path, "data"),
    GOVERNANCE_GRPC_ADDR: "127.0.0.1:0",
    GOVERNANCE_HTTP_ADDR: "127.0.0.1:0",
    GOVERNANCE_CONFIG_FILE: file,
  });
  await service.ready;
  const said = () => service.stdout().match(/"msg":"the config file is (in force|refused)/g) ?? [];
  service.signal("SIGHUP");
  await vi.waitFor(() => expect(said()).toHaveLength(1), 15_000);
  expect(service.stdout()).toContain('"changed":false');
  await writeFile(file, "teirs: {}\n");
  service.signal("SIGHUP");
  await vi.waitFor(() => expect(said().at(-1)).toContain("refused"), 15_000);
  service.signal("SIGTERM");
  expect(await service.ended).toMatchObject({ code: 0, stderr: "" });
});

test("without a config file there is nothing to read again, and SIGHUP stops it as before", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "governance-reload-"));
  await using database = await createTestDatabase();
  await using service = start({
    DATABASE_URL: database.url("service"),
    GOVERNANCE_DATA_DIR: join(folder.path, "data"),
    GOVERNANCE_GRPC_ADDR: "127.0.0.1:0",
    GOVERNANCE_HTTP_ADDR: "127.0.0.1:0",
  });
  await service.ready;
  service.signal("SIGHUP");
  expect(await service.ended).toMatchObject({ code: 0, stderr: "" });
});
