"""The real service in a process of its own, and a relay between it and its clients that can be cut."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

# The checkout whose service is tested; the package under test is the installed one.
CHECKOUT = Path(os.environ["GOVERNANCE_CHECKOUT"])
_NODE = CHECKOUT / "node_modules/.bin/node"

CONFIG = """
gov.parameterchangeauditor: { mode: enforce }
tiers: { "risk.*.max_position_pusd": P1 }
"""


class Service:
    """`npm start` in a data folder of its own, on free ports."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        config = folder / "config.yaml"
        config.write_text(CONFIG)
        # Whoever runs the tests may have settings of a service of their own.
        others = {name: value for name, value in os.environ.items() if not re.match("GOVERNANCE_|DATABASE_", name)}
        self._environment = {
            **others,
            "GOVERNANCE_DATA_DIR": str(folder / "data"),
            "GOVERNANCE_CONFIG_FILE": str(config),
            "GOVERNANCE_GRPC_ADDR": "127.0.0.1:0",
            "GOVERNANCE_HTTP_ADDR": "127.0.0.1:0",
        }
        self._tokens: dict[tuple[str, ...], str] = {}
        self._log = folder / "service.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["npm", "start"],
                cwd=CHECKOUT, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.address = self._ready()

    def _ready(self) -> str:
        until = time.monotonic() + 60
        while time.monotonic() < until and self._process.poll() is None:
            found = re.search(r"gRPC +(127\.0\.0\.1:\d+)", self._log.read_text())
            if found:
                return found.group(1)
            time.sleep(0.1)
        raise RuntimeError(f"the service did not start:\n{self._log.read_text()}")

    def token(self, *roles: str) -> str:
        if roles not in self._tokens:
            options = [option for role in roles for option in ("--role", role)]
            self._tokens[roles] = self.command("token", "--ttl", "1h", *options).strip()
        return self._tokens[roles]

    def command(self, *arguments: str) -> str:
        """What `governance` prints, with the development key of this service's data folder."""
        ran = subprocess.run(
            [_NODE, "src/cli/governance.ts", *arguments],
            cwd=CHECKOUT, env=self._environment, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return ran.stdout

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(30)


class Relay:
    """A TCP relay: `cut` breaks the connections and refuses new ones, `freeze` keeps them and passes nothing on."""

    def __init__(self, to: str) -> None:
        host, port = to.split(":")
        self._to = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self._port}"
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._passing = threading.Event()
        self._passing.set()
        # Bytes to the client before the connection is cut, once.
        self.cut_after: int | None = None
        self._accept()

    def cut(self) -> None:
        # Shut down first: closing alone does not wake the thread that accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    def drop(self) -> None:
        """Breaks the connections there are; new ones are taken."""
        with self._lock:
            for each in self._open:
                _shut(each)

    def mend(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._accept()

    def freeze(self) -> None:
        self._passing.clear()

    def thaw(self) -> None:
        self._passing.set()

    def _accept(self) -> None:
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                service = socket.create_connection(self._to)
            except OSError:
                client.close()
                continue
            threading.Thread(target=self._pass, args=(client, service), daemon=True).start()

    def _pass(self, client: socket.socket, service: socket.socket) -> None:
        pair = {client: service, service: client}
        with self._lock:
            self._open |= set(pair)
        try:
            while True:
                for ready in select.select(list(pair), [], [])[0]:
                    self._passing.wait()
                    data = ready.recv(65536)
                    if not data or self._is_spent(ready is service, len(data)):
                        return
                    pair[ready].sendall(data)
        except OSError:
            return
        finally:
            with self._lock:
                self._open -= set(pair)
            client.close()
            service.close()

    def _is_spent(self, to_client: bool, size: int) -> bool:
        if self.cut_after is None or not to_client:
            return False
        self.cut_after -= size
        if self.cut_after > 0:
            return False
        self.cut_after = None
        return True


def _shut(each: socket.socket) -> None:
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # The other side was faster.
