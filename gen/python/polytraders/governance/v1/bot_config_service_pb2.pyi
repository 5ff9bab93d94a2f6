from polytraders.governance.v1 import bot_config_pb2 as _bot_config_pb2
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor
