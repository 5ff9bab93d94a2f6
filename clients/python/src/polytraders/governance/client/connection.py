"""Channels and tokens."""

from __future__ import annotations

from typing import Callable, Optional, Union

import grpc

# A token, or what gives one for each call: tokens expire, bots run on.
Token = Union[str, Callable[[], str]]
Metadata = tuple[tuple[str, str], ...]

# A bot's connection is idle for hours. It must be noticed when it is dead, and made again as soon as the
# service is back: grpc's own backoff grows to two minutes, in which every write would go through ungated.
channel_options: tuple[tuple[str, int], ...] = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
)


def connect(address: str, credentials: Optional[grpc.ChannelCredentials] = None) -> grpc.Channel:
    """A channel to host:port; with credentials (grpc.ssl_channel_credentials()) over TLS."""
    if credentials is None:
        return grpc.insecure_channel(address, options=channel_options)
    return grpc.secure_channel(address, credentials, options=channel_options)


class Connection:
    """A channel, closed only if it was made here, and what every call carries."""

    def __init__(self, target: Union[str, grpc.Channel], token: Token) -> None:
        self._owned = isinstance(target, str)
        self.channel = connect(target) if isinstance(target, str) else target
        self._token = token

    def metadata(self) -> Metadata:
        return bearer(self._token)

    def close(self) -> None:
        if self._owned:
            self.channel.close()


def bearer(token: Token) -> Metadata:
    return (("authorization", f"Bearer {token if isinstance(token, str) else token()}"),)
