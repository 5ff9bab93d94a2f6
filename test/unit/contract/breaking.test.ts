import { cpSync, mkdtempDisposableSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { buf, root } from "./buf.ts";

const image = join(root, "contract/released.binpb");

interface Edit {
  /** Under proto/polytraders/governance/v1. */
  readonly file: string;
  readonly find: RegExp;
  readonly put: string;
}

interface Change {
  readonly what: string;
  readonly edits: readonly Edit[];
}

interface BreakingChange extends Change {
  /** A buf rule that objects; a proto that does not compile would be refused too, for no rule. */
  readonly rule: string;
}

function edit(file: string, find: RegExp, put: string): Edit {
  return { file, find, put };
}

const ledger = "user_activity_ledger.proto";
const ledgerService = "user_activity_ledger_service.proto";
const auditor = "parameter_change_auditor.proto";

const breaking: readonly BreakingChange[] = [
  {
    what: "a field is removed",
    edits: [edit(ledger, / {2}\/\/ See UserAction\.session_seq\..*\n {2}int64 session_seq = 9;\n/, "")],
    rule: "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED",
  },
  {
    what: "a field is renamed",
    edits: [edit("report.proto", /string wallet_address = 4;/, "string wallet = 4;")],
    rule: "FIELD_SAME_JSON_NAME",
  },
  {
    what: "a field is renumbered",
    edits: [edit(auditor, /string decision_id = 9;/, "string decision_id = 99;")],
    rule: "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED",
  },
  {
    what: "a type goes from int64 to uint64",
    edits: [edit("report.proto", /int64 epoch = 20;/, "uint64 epoch = 20;")],
    rule: "FIELD_SAME_TYPE",
  },
  {
    what: "a single field becomes repeated",
    edits: [edit("report.proto", /string fill_id = 22;/, "repeated string fill_id = 22;")],
    rule: "FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY",
  },
  {
    what: "an RPC is deleted",
    edits: [edit(ledgerService, / {2}rpc CloseAccount\(.*\n/, "")],
    rule: "RPC_NO_DELETE",
  },
  {
    what: "an RPC stops streaming",
    edits: [edit("report_service.proto", /returns \(stream /, "returns (")],
    rule: "RPC_SAME_SERVER_STREAMING",
  },
  {
    what: "a service is deleted",
    edits: [edit("report_service.proto", /service ReportService \{[^}]*\}\n/, "")],
    rule: "PACKAGE_SERVICE_NO_DELETE",
  },
  {
    what: "an enum value is removed",
    edits: [edit(auditor, / {2}\/\/ The write did not happen\.\n {2}WRITE_OUTCOME_ABORTED = 2;\n/, "")],
    rule: "ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED",
  },
  {
    what: "a message is deleted",
    edits: [
      // Its one use goes the permitted way, so that the message alone is at fault.
      edit(
        ledger,
        /OffsetDisagreement offset_disagreement = 3;/,
        'reserved 3; reserved "offset_disagreement";',
      ),
      edit(ledger, /message OffsetDisagreement \{[^}]*\}\n/, ""),
    ],
    rule: "PACKAGE_MESSAGE_NO_DELETE",
  },
  {
    what: "an enum is deleted",
    edits: [
      edit(ledger, / {2}LinkState link_state = 2;/, '  reserved 2; reserved "link_state";'),
      edit(ledger, /enum LinkState \{[^}]*\}\n/, ""),
    ],
    rule: "PACKAGE_ENUM_NO_DELETE",
  },
];

const harmless: readonly Change[] = [
  { what: "nothing changes", edits: [] },
  {
    what: "a field is added",
    edits: [edit(ledger, /message CloseAccountRequest \{\n/, "$&  string added = 1000;\n")],
  },
  {
    what: "an RPC is added",
    edits: [
      edit(
        ledgerService,
        /service \w+ \{\n/,
        "$&  rpc Added(CloseAccountRequest) returns (CloseAccountResponse);\n",
      ),
    ],
  },
  {
    what: "an enum value is added",
    edits: [edit(auditor, / {2}VERDICT_REJECT = 2;\n/, "$&  VERDICT_ADDED = 1000;\n")],
  },
  {
    what: "a comment is rewritten",
    edits: [edit(auditor, /\/\/ What the policy says of a write\./, "// Other words.")],
  },
];

describe("against the released contract", () => {
  test.for(breaking)("it is refused that $what", ({ edits, rule }) => {
    const { code, violated } = compareWithReleased(edits);
    expect(violated).toContain(rule);
    expect(code).not.toBe(0);
  });

  test.for(harmless)("it is accepted that $what", ({ edits }) => {
    expect(compareWithReleased(edits)).toEqual({ code: 0, violated: [] });
  });
});

/** buf's opinion of a copy of proto/ with these edits. */
function compareWithReleased(edits: readonly Edit[]): { code: number | null; violated: string[] } {
  using copy = mkdtempDisposableSync(join(tmpdir(), "governance-proto-"));
  cpSync(join(root, "buf.yaml"), join(copy.path, "buf.yaml"));
  cpSync(join(root, "proto"), join(copy.path, "proto"), { recursive: true });
  for (const { file, find, put } of edits) {
    const path = join(copy.path, "proto/polytraders/governance/v1", file);
    const before = readFileSync(path, "utf8");
    const after = before.replace(find, put);
    if (after === before) throw new Error(`the edit of ${file} found nothing: ${find}`);
    writeFileSync(path, after);
  }
  const { code, output } = buf(copy.path, "breaking", "proto", "--against", image, "--error-format", "json");
  const types = output.split("\n").flatMap((line) => /"type":"(\w+)"/.exec(line)?.[1] ?? []);
  return { code, violated: types };
}
