"""What the layer raises beside grpc.RpcError, which it never wraps."""

from __future__ import annotations

from polytraders.governance.v1.parameter_change_auditor_pb2 import CheckWriteResponse


class ConfigError(Exception):
    """The write may not proceed. `answer` is the whole verdict."""

    def __init__(self, answer: CheckWriteResponse, write_id: str) -> None:
        super().__init__(f"{answer.reason_code}: {answer.user_message}")
        self.reason_code = answer.reason_code
        self.user_message = answer.user_message
        self.decision_id = answer.decision_id
        self.param_tier = answer.param_tier
        self.write_id = write_id
        self.answer = answer


class SpoolInUse(Exception):
    """Another process, or another object of this one, has the spool file open."""


class SpoolFull(Exception):
    """The recorder's file has reached its bound: the service was away for long. Nothing was recorded or dropped."""


class ExportCut(Exception):
    """The stream ended before its trailer. What came is kept: the same call goes on behind it."""


class ExportDamaged(Exception):
    """What came is not what the service says it sent. The same call begins anew."""
