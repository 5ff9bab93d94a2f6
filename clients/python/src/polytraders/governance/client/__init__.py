"""The governance service for bots: the gate, the recorder, exports. Plain threads; asyncio is in `.aio`."""

from ._settle import Checked
from .connection import Token, channel_options, connect
from .errors import ConfigError, ExportCut, ExportDamaged, SpoolFull, SpoolInUse
from .export import export_to_file
from .gate import Change, Gate
from .recorder import Action, Recorder, Refused, user_action
from .venue import reports_of_message, reports_of_trade
from .write import Write, write_request

__all__ = [
    "Action",
    "Change",
    "Checked",
    "ConfigError",
    "ExportCut",
    "ExportDamaged",
    "Gate",
    "Recorder",
    "Refused",
    "SpoolFull",
    "SpoolInUse",
    "Token",
    "Write",
    "channel_options",
    "connect",
    "export_to_file",
    "reports_of_message",
    "reports_of_trade",
    "user_action",
    "write_request",
]
