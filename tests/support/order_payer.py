"""A phone that pays the order of ``check --order``."""

import asyncio
import re
from decimal import Decimal
from pathlib import Path

from terminal.config.schema import Settings
from terminal.payby.sandbox.server import Sandbox
from tests.support.installation import configured

ONE = Decimal("1.00")


class Payer:
    """Reads what is said, scans the code once it is there, and pays once that is said."""

    def __init__(self, sandbox: Sandbox, *, scans: bool = True, pays: bool = True) -> None:
        self.sandbox, self.scans, self.pays = sandbox, scans, pays
        self.lines: list[str] = []
        self.tasks: set[asyncio.Task[object]] = set()

    def __call__(self, text: str) -> None:
        self.lines.append(text)
        if self.scans and (token := re.search(r"https://qr\S+", text)):
            self.token = token[0]
            act = self.sandbox.scan(self.token, payer="100000012396")
            self.tasks.add(asyncio.create_task(act))
        if self.pays and ("scanned" in text or (not self.scans and "https://qr" in text)):
            self.tasks.add(asyncio.create_task(self.sandbox.pay(self.token)))

    def line(self, step: str) -> str:
        return next(line for line in self.lines if f"  {step}: " in line)


def settings(place: Path, sandbox: Sandbox, port: int, **changes: str) -> Settings:
    own = {"listener_port": str(port), "payby_notify_url": f"http://127.0.0.1:{port}/payby/notify"}
    return configured(place, sandbox.base_url, "mqtt://127.0.0.1:1", **{"payby_query_every": "2.0"} | own | changes)
