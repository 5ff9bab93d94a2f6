"""Writes the cases to the service, or reads what is there, with generated code, grpcio and the layer's JSON; see crosswise.ts."""

import json
import os
import re
import runpy
import sys
from decimal import Decimal
from pathlib import Path

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from polytraders.governance.v1 import parameter_change_auditor_pb2 as auditor_pb
from polytraders.governance.v1 import user_activity_ledger_pb2 as ledger_pb
from polytraders.governance.v1.parameter_change_auditor_service_pb2_grpc import ParameterChangeAuditorServiceStub
from polytraders.governance.v1.user_activity_ledger_service_pb2_grpc import UserActivityLedgerServiceStub

# Of the layer this file alone: the rest needs the generated code of today.
layer = Path(__file__).parents[3] / "clients/python/src/polytraders/governance/client"
exact_json = runpy.run_path(str(layer / "_json.py"))["exact_json"]
cases = json.loads(Path(sys.argv[2]).read_text("utf-8"))
channel = grpc.insecure_channel(os.environ["GOVERNANCE_GRPC_ADDR"])
call = {"metadata": [("authorization", "Bearer " + os.environ["GOVERNANCE_TOKEN"])], "timeout": 60}
ledger, auditor = UserActivityLedgerServiceStub(channel), ParameterChangeAuditorServiceStub(channel)


def native(value):
    """A case's value as Python has it."""
    ((kind, content),) = value.items()
    if kind == "o":
        return {key: native(member) for key, member in content}
    if kind == "a":
        return [native(member) for member in content]
    if kind == "l":
        return {"null": None, "true": True, "false": False}[content]
    if kind == "n" and re.fullmatch(r"-?[1-9]\d*|0", content):
        return int(content)
    if kind == "n":
        return float(content) if repr(float(content)) == content else Decimal(content)
    return content


def shown(value):
    """The reverse; a number by its sign, digits and exponent."""
    if isinstance(value, Decimal):
        sign, digits, exponent = value.as_tuple()
        return {"n": f"{'-' * sign}{''.join(map(str, digits))}e{exponent}"}
    if isinstance(value, dict):
        return {"o": [[key, shown(member)] for key, member in value.items()]}
    if isinstance(value, list):
        return {"a": [shown(member) for member in value]}
    return {"s": value} if isinstance(value, str) else {"l": json.dumps(value)}


def parsed(text):
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


def stamp(at):
    seconds, nanos = at.split(".")
    return Timestamp(seconds=int(seconds), nanos=int(nanos))


def write(writer):
    session = f"{cases['run']}-{writer}"
    actions = [
        ledger_pb.UserAction(
            event_id=f"{session}-{case['name']}", wallet=cases["wallet"], session_id=session, action_type="OVERRIDE",
            params_json=exact_json({"v": native(case["value"])}), trace_id=case["name"], occurred_at=stamp(cases["at"]),
        )
        for case in cases["values"]
    ]  # fmt: skip
    first = ledger_pb.RecordUserActionRequest.FromString(actions[0].SerializeToString())
    ledger.RecordUserAction(first, **call)
    streamed(
        ledger.StreamUserActions,
        ledger_pb.StreamUserActionsRequest(open=ledger_pb.StreamOpen(stream_id=session)),
        ledger_pb.StreamUserActionsRequest(batch=ledger_pb.UserActionBatch(first_offset=1, actions=actions[1:])),
    )
    reports = [
        ledger_pb.ExecutionReport(
            **fill["fields"], trade_id=f"{session}-{fill['name']}", order_id=session, wallet=cases["wallet"],
            matched_at=stamp(cases["at"]), raw_json=exact_json(native(fill["raw"])),
        )
        for fill in cases["fills"]
    ]  # fmt: skip
    streamed(
        ledger.StreamExecutionReports,
        ledger_pb.StreamExecutionReportsRequest(open=ledger_pb.StreamOpen(stream_id=session)),
        ledger_pb.StreamExecutionReportsRequest(batch=ledger_pb.ExecutionReportBatch(first_offset=1, reports=reports)),
    )
    for case in cases["values"]:
        request = auditor_pb.CheckWriteRequest(
            bot_slug=session, param_name=case["name"], editor_id=cases["editor"],
            old_value_json=exact_json(native(case["value"])), new_value_json=exact_json([native(case["value"])]),
        )  # fmt: skip
        assert auditor.CheckWrite(request, **call).allowed


def streamed(method, *requests):
    _, answer = method(iter(requests), **call)
    assert answer.HasField("ack") and not answer.ack.results, answer


def read():
    def pages(method, request, entries):
        while True:
            page = method(request, **call)
            yield from getattr(page, entries)
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    for writer in cases["writers"]:
        session = f"{cases['run']}-{writer}"
        listed = ledger_pb.ListUserActionsRequest(session_id=session)
        for entry in pages(ledger.ListUserActions, listed, "actions"):
            report = entry.report
            at = f"{report.occurred_at.seconds}.{report.occurred_at.nanos}"
            yield writer, "action", report.trace_id, [report.wallet_address, at, shown(parsed(report.action_params_json))]
        for part in ledger.ExportUserActions(ledger_pb.ExportUserActionsRequest(session_id=session), **call):
            for line in part.jsonl.decode("utf-8").splitlines() if part.jsonl else ():
                report = parsed(line)
                yield writer, "exported", report["trace_id"], shown(report["action_params"])
        changes = auditor_pb.ListParameterChangesRequest(bot_slug=session)
        for change in pages(auditor.ListParameterChanges, changes, "changes"):
            report = change.report
            values = [shown(parsed(report.old_value_json)), shown(parsed(report.new_value_json))]
            yield writer, "change", report.param_name, [report.editor_id, *values]
        for value in auditor.GetConfigAsOf(auditor_pb.GetConfigAsOfRequest(bot_slug=session), **call).values:
            yield writer, "in force", value.param_name, shown(parsed(value.value_json))
        # The released contract has no way to read fills.
        if hasattr(ledger, "ListFills") and not os.environ.get("WITHOUT_FILLS"):
            for entry in pages(ledger.ListFills, ledger_pb.ListFillsRequest(order_id=session), "fills"):
                report = entry.report
                fields = [getattr(report, name) for name in cases["fillFields"]]
                at = f"{report.matched_at.seconds}.{report.matched_at.nanos}"
                name = report.trade_id[len(session) + 1 :]
                yield writer, "fill", name, [fields, report.wallet, at, shown(parsed(report.raw_json))]


if sys.argv[1] == "write":
    write(sys.argv[3])
else:
    sys.stdout.reconfigure(encoding="utf-8")
    for found in read():
        print(json.dumps(found))
