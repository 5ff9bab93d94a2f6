from polytraders.governance.v1 import parameter_change_auditor_pb2 as _parameter_change_auditor_pb2
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor
