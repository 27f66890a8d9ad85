"""How the findings are reported: a line each as they come, or one JSON document at the end."""

import json
from collections.abc import Callable
from typing import Any, Protocol

from terminal import __version__
from terminal.config.schema import Settings, key_in
from terminal.tools.check.finding import Finding


class CheckReport(Protocol):
    """Takes the findings of a check, in order."""

    def found(self, finding: Finding) -> None:
        """Report one finding, or keep it for the end."""

    def show(self, text: str) -> None:
        """Show the payer of the test order what is needed: the code, and how to pay."""

    def judge(self, ready: bool) -> None:
        """Every part has been checked."""


class Lines:
    """A line for each finding, one that names what could not be proven, and the verdict; ``say`` prints a line."""

    def __init__(self, say: Callable[[str], None] = print) -> None:
        self._say = say
        self._unproven: list[str] = []

    def found(self, finding: Finding) -> None:
        self._say(str(finding))
        if finding.outcome == "unproven":
            self._unproven.append(finding.name)

    def show(self, text: str) -> None:
        self._say(text)

    def judge(self, ready: bool) -> None:
        if self._unproven:
            self._say(f"      not proven here: {', '.join(self._unproven)}")
        self._say("ready" if ready else "not ready")


class Document:
    """Everything as one JSON document, for programs; ``show`` prints for the payer, because stdout has the document.

    ``v`` (1) counts changes that a reader must know of; a reader ignores what it does not know, and absent fields are
    left out. ``verdict`` is `ready` if and only if the exit status is 0.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self.show = show
        self._findings: list[Finding] = []
        self._judged = False

    def found(self, finding: Finding) -> None:
        self._findings.append(finding)

    def judge(self, ready: bool) -> None:
        self._judged = ready

    def text(self, settings: Settings | None, error: str = "") -> str:
        """The document. ``settings`` None: they did not load. ``error``: what ended the check early."""
        ready = self._judged and not error and all(finding.ok for finding in self._findings)
        said: dict[str, Any] = {"v": 1, "version": __version__}
        if settings and settings.file:
            said["file"] = str(settings.file)
        if settings and settings.garage:
            said["garage"] = settings.garage.id
        if settings and settings.lane:
            said["lane"] = settings.lane.id
        said["verdict"] = "ready" if ready else "not ready"
        said["checks"] = [_said(finding) for finding in self._findings]
        if error:
            said["error"] = {"message": error, **_if_there(key=key_in(error))}
        return json.dumps(said, indent=2, ensure_ascii=False)


def _said(finding: Finding) -> dict[str, str]:
    what = {"name": finding.name, "outcome": finding.outcome, "message": finding.text}
    return what | _if_there(key=finding.key, advice=finding.advice)


def _if_there(**texts: str) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text}
