"""Does ``notify_url`` lead to our listener? Checked from this machine, which is not where PayBy calls from: the finding
says what that does not prove, and ``check --order`` proves it."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp

from terminal.config.schema import Settings
from terminal.tools.check.finding import Finding, Machine

LIMIT_S = 5.0
MARK = "X-Answered-By", "exit-terminal"
"""The header by which the listener is known; the listener's module has the same."""
_BEHIND = (502, 503, 504)
"""What a reverse proxy answers while nothing is behind it."""
_KEY = "payby.notify_url"


async def notifications(settings: Settings, machine: Machine) -> AsyncIterator[Finding]:
    """An unsigned POST must be refused, by our listener."""
    url = settings.payby.notify_url if settings.payby else None
    if url is None or settings.listener is None:
        return
    stopped = "" if machine.serves() else "; `run` is not running on this machine"
    try:
        async with (
            asyncio.timeout(LIMIT_S),
            aiohttp.ClientSession() as session,
            session.post(url, data=b"{}", allow_redirects=False) as answer,
        ):
            status, mark = answer.status, answer.headers.get(MARK[0])
    except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
        why = type(error).__name__
        yield _unproven(f"{url} does not answer from here ({why}){stopped}")
        return
    if (status, mark) == (401, MARK[1]):
        text = f"{url} leads to the listener from here; --order proves whether it also does from PayBy"
        yield Finding("notify_url", True, text, about=_KEY)
    elif status in _BEHIND:
        yield _unproven(f"{url} answers {status}, as a proxy with no listener behind it{stopped}")
    else:
        advice = "make the reverse proxy pass it on to [listener] unchanged: see deploy/proxy"
        yield Finding(
            "notify_url", False, f"{url} answers {status}, which is not the listener's answer", advice, about=_KEY
        )


def _unproven(why: str) -> Finding:
    return Finding("notify_url", True, f"not proven: {why}", but="unproven", about=_KEY)
