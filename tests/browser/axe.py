"""axe-core in a page: what it finds against WCAG 2.2 A and AA, and its own best practice.

`make browser` puts it beside the environment (tests/browser/axe.txt has its hash); it is no package of ours."""

import json
from pathlib import Path

from tests.browser.chromium import Tab

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FOLDER = Path(__file__).parents[2] / ".venv" / "axe"


def script() -> str | None:
    """axe-core's source; None where it was not fetched."""
    found = next(FOLDER.rglob("axe.min.js"), None) if FOLDER.is_dir() else None
    return found.read_text(encoding="utf-8") if found else None


async def violations(tab: Tab) -> list[str]:
    """One line for each thing that is wrong with the page as it is now."""
    if not await tab.run("'axe' in window"):
        source = script()
        assert source, "axe-core is not there: make browser fetches it"
        await tab.run(f"{source}\n;0")
    found = await tab.run(
        f"axe.run(document, {{runOnly: {json.dumps(RULES)}}}).then(result => JSON.stringify(result.violations.flatMap("
        "one => one.nodes.map(node => `${one.id}: ${node.target.join(' ')}: ${node.failureSummary}`))))"
    )
    return [str(one).replace("\n", " ") for one in json.loads(found)]
