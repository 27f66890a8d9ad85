"""Every alert is known before it is raised, to the type checker, to the rules' tests and to the operator's page."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from terminal.contract.alerts import ALERTS, AlertCode, RoleAlertCode, is_told_once, severity_of
from terminal.core.alert_codes import RuleAlertCode
from tests.alerts import BEGIN, END, PAGE, drawn
from tests.said import ELSEWHERE, SAID

TREE = Path(__file__).parents[1]
SAYS_ITSELF = {"lift-refused", "payby-failed", "payby-clock", "payby-unauthorised"}
"""Of these the data leave open how grave they are, or how long they last."""


def test_each_code_is_one_kind_of_alert_and_has_its_row() -> None:
    assert sorted(get_args(AlertCode)) == sorted(ALERTS)
    assert Counter((*get_args(RuleAlertCode), *get_args(RoleAlertCode))).most_common(1)[0][1] == 1
    assert len(ALERTS) > 70


def test_the_operator_s_page_is_drawn_from_the_data() -> None:
    table = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert table == drawn(), "python -m tests.alerts --write"
    assert table.count("\n") == 2 + len(ALERTS)
    assert all(row.count("|") == 6 for row in table.splitlines()), "no cell holds a bar, and none is missing"


def test_each_alert_has_words_for_a_person() -> None:
    assert [code for code, kind in ALERTS.items() if not (kind.meaning and kind.remedy)] == []


def test_what_the_rules_say_of_an_alert_is_what_the_data_say() -> None:
    said = [line for line in (*SAID.read_text().splitlines(), *ELSEWHERE) if line.startswith("alert ")]
    heads = [line.split(" | ")[0].split() for line in said]
    alerts = {(code, severity, once == ["once"]) for _, code, severity, *once in heads}
    assert {code for code, *_ in alerts} == set(get_args(RuleAlertCode))
    for code, severity, once in alerts:
        kind = ALERTS[code]
        assert kind.severity in (None, severity), code
        assert kind.lasts in ("once or until cleared", "once" if once else "until cleared"), code


def test_what_the_data_leave_open_must_be_said() -> None:
    for code in SAYS_ITSELF:
        with pytest.raises(ValueError, match=code):
            severity_of(code), is_told_once(code)
    for code in ALERTS.keys() - SAYS_ITSELF:
        assert severity_of(code) in ("info", "warning", "critical")
        assert is_told_once(code) in (True, False)


def test_a_code_that_is_not_known_does_not_type_check(tmp_path: Path) -> None:
    (tmp_path / "raises.py").write_text(
        "from terminal.core.actions import ClearAlert, RaiseAlert\n"
        "from terminal.mqtt.endpoint import Endpoint\n"
        "async def raises(endpoint: Endpoint) -> None:\n"
        "    await endpoint.alert('journal', 'known')\n"
        "    await endpoint.alert('jornal', 'unknown')\n"
        "    await endpoint.clear('jornal', 'unknown')\n"
        "known = RaiseAlert('refund', 'info', 'known', None)\n"
        "unknown = RaiseAlert('journal', 'critical', 'a role\\'s', None), ClearAlert('refnd', 'unknown', None)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", str(TREE / "pyproject.toml"), "raises.py"],
        cwd=tmp_path, env={"MYPYPATH": str(TREE), "PATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    wrong = [line.split(": error: ")[0] for line in ended.stdout.splitlines() if line.endswith("[arg-type]")]
    assert wrong == ["raises.py:5", "raises.py:6", "raises.py:8", "raises.py:8"], ended.stdout + ended.stderr
