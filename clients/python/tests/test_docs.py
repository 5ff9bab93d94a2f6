"""Every Python snippet of the docs that stands on its own, run as it is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from service import CHECKOUT, Service

SNIPPETS = [
    pytest.param(code, id=f"{page}-{number}")
    for page in ("integrating.md", "compliance.md")
    for number, code in enumerate(
        re.findall(r"^```python\n(.*?)^```", (CHECKOUT / "docs" / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    )
    # What reads files named on its command line has nothing to read here.
    if "sys.argv" not in code
]


@pytest.mark.parametrize("code", SNIPPETS)
def test_a_snippet_does_what_the_page_says(code: str, service: Service, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "GOVERNANCE_GRPC_ADDR": service.address,
        "GOVERNANCE_TOKEN": service.token("bot", "compliance"),
        "PYTHONWARNINGS": "error",
    }
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, timeout=60)
    assert ran.returncode == 0, ran.stderr.decode()
    # What a snippet prints stands in comments at its end.
    printed = re.search(r"((?:^# .*\n)+)\Z", code, re.MULTILINE)
    if printed is not None:
        assert ran.stdout.decode() == re.sub("^# ", "", printed.group(1), flags=re.MULTILINE)
