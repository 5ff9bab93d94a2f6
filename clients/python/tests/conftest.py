from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from polytraders.governance.client import connect
from polytraders.governance.v1.parameter_change_auditor_pb2 import ListParameterChangesRequest, ParameterChange
from polytraders.governance.v1.parameter_change_auditor_service_pb2_grpc import ParameterChangeAuditorServiceStub
from polytraders.governance.v1.report_pb2 import SettlementReport
from polytraders.governance.v1.user_activity_ledger_pb2 import FillEntry, ListFillsRequest, ListUserActionsRequest
from polytraders.governance.v1.user_activity_ledger_service_pb2_grpc import UserActivityLedgerServiceStub
from service import Relay, Service


class Records:
    """What is on record, as compliance reads it."""

    def __init__(self, service: Service) -> None:
        self._channel = connect(service.address)
        self._metadata = (("authorization", f"Bearer {service.token('compliance')}"),)
        self._auditor = ParameterChangeAuditorServiceStub(self._channel)
        self._ledger = UserActivityLedgerServiceStub(self._channel)

    def changes(self, bot_slug: str, unconfirmed: bool = False) -> list[ParameterChange]:
        request = ListParameterChangesRequest(bot_slug=bot_slug, unconfirmed=unconfirmed, page_size=1000)
        return list(self._auditor.ListParameterChanges(request, metadata=self._metadata).changes)

    def actions(self, session_id: str) -> list[SettlementReport]:
        request = ListUserActionsRequest(session_id=session_id, page_size=1000)
        reports: list[SettlementReport] = []
        while True:
            page = self._ledger.ListUserActions(request, metadata=self._metadata)
            reports += [entry.report for entry in page.actions]
            if not page.next_page_token:
                return reports
            request.page_token = page.next_page_token

    def fills(self, trade_id: str) -> list[FillEntry]:
        request = ListFillsRequest(trade_id=trade_id, page_size=1000)
        return list(self._ledger.ListFills(request, metadata=self._metadata).fills)

    def close(self) -> None:
        self._channel.close()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    started = Service(tmp_path_factory.mktemp("service"))
    yield started
    started.stop()


@pytest.fixture(scope="session")
def records(service: Service) -> Iterator[Records]:
    opened = Records(service)
    yield opened
    opened.close()


@pytest.fixture
def relay(service: Service) -> Relay:
    return Relay(service.address)


@pytest.fixture
def bot(service: Service) -> str:
    return service.token("bot")


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"
