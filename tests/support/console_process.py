"""`exit-terminal console` as a process of its own: its files, and whether it answers."""

from pathlib import Path

import aiohttp

from tests.support.refunding import write_pair

CONFIGURATION = """\
[garage]
id = "marina"
name = "Marina Garage"
[mqtt]
url = "{url}"
username = "console"
password_file = "{password}"
[lift]
trusted = {{ worker = "worker.pub.pem", console = "console.pub.pem" }}
[console]
port = {port}
lift_private_key = "{key}"
"""


def console_file(folder: Path, url: str, password: Path, port: int, key: str = "console.pem") -> Path:
    """A configuration with its keys in ``folder``; ``url`` is the broker's, ``password`` the file of its user."""
    for name in ("worker", "console"):
        write_pair(folder, name)
    file = folder / "exit.toml"
    file.write_text(CONFIGURATION.format(url=url, password=password, port=port, key=key), encoding="utf-8")
    return file


async def answers(url: str) -> bool:
    """Does anybody serve there?"""
    try:
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
