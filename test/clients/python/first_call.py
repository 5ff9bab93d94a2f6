"""Records an action and asks about a write, with generated code and grpcio alone."""

import json
import os
import uuid

import grpc

from polytraders.governance.v1 import parameter_change_auditor_pb2 as auditor
from polytraders.governance.v1 import parameter_change_auditor_service_pb2_grpc as auditor_service
from polytraders.governance.v1 import user_activity_ledger_pb2 as ledger
from polytraders.governance.v1 import user_activity_ledger_service_pb2_grpc as ledger_service

token = [("authorization", "Bearer " + os.environ["GOVERNANCE_TOKEN"])]
with grpc.insecure_channel(os.environ["GOVERNANCE_GRPC_ADDR"]) as channel:
    action = ledger.RecordUserActionRequest(
        event_id=f"first-call-{uuid.uuid4()}",
        wallet="0x00000000000000000000000000000000000000f1",
        session_id="first-call",
        action_type="STRATEGY_START",
    )
    # Longer than the method's own budget: the first call on a channel connects, too.
    recorded = ledger_service.UserActivityLedgerServiceStub(channel).RecordUserAction(
        action, timeout=5, metadata=token
    )
    write = auditor.CheckWriteRequest(bot_slug="first-call", param_name="tick_ms", editor_id="first-call")
    write.old_value.number_value, write.new_value.number_value = 250, 500
    checked = auditor_service.ParameterChangeAuditorServiceStub(channel).CheckWrite(
        write, timeout=0.5, metadata=token
    )

outcome = ledger.RecordOutcome.Name(recorded.outcome)
print(json.dumps({"client": "python", "outcome": outcome, "verdict": auditor.Verdict.Name(checked.verdict)}))
