"""Requests that no description has and no well-behaved client sends: none is an error of the server."""

import asyncio
import re
from pathlib import Path

import pytest
import requests

from tests.support.console_desk import LANE
from tests.support.http_description import operations
from tests.support.http_servers import NAMES, STREAMS, SignedIn, serving

ODD_HEADERS = [
    b"Host: [", b"Host: a]:b", b"Host: \xff", b"Origin: http://[", b"Origin: \xff", b"Referer: http://[",
    b"Content-Type: multipart/form-data", b"Content-Type: multipart/form-data; boundary=",
    b"Content-Type: multipart/form-data; boundary=x", b"Content-Type: application/x-www-form-urlencoded; charset=nope",
    b"Content-Type: application/json; charset=nope", b"Content-Type: ;", b"Cookie: desk=\xff; =; desk_language=\x01",
    b"Cookie: " + b"a=b;" * 900, b"Accept-Language: \xff", b"X-Forwarded-For: [", b"X-Forwarded-Proto: \xff",
    b"Last-Event-ID: -1", b"Last-Event-ID: " + b"9" * 22, b"Content-Encoding: gzip", b"Content-Encoding: nope",
    b"Transfer-Encoding: chunked", b"Expect: 100-continue", b"Expect: nonsense", b"Sec-Fetch-Site: \xff",
    b"sign: \xff", b"Accept: application/openmetrics-text; version=\xff", b"Range: bytes=-1",
    b"If-Modified-Since: yesterday",
]  # fmt: skip
ODD_BODIES = [
    b"", b"\xff", b"[" * 4000, b'{"do":[]}', b'{"do":{}}', b'{"do":"drive_up","minutes":1e400}', b"[1]", b"null", b"1",
    b'{"do":"cut_payby","seconds":-1}', b'{"do":"drive_up","kind":{}}', b"9" * 4000, b'"\\ud800"', b"%" * 50,
    b"a=" + b"%ff" * 20,
    b"--x\r\nContent-Disposition: form-data; name=csrf\r\n\r\n1\r\n--x--\r\n", b"--x\r\nnonsense", b"--x--",
    b"--x\r\nContent-Disposition: form-data; name=csrf; filename=a\r\n\r\n1\r\n--x--\r\n",
    b'{"ref":"\xff"}',
    b'{"ref":1}', b'{"call":"*","times":-1}', b'{"call":"*","http_status":99999}', b'{"call":"*","sign":"x"}',
]  # fmt: skip
ODD_QUERIES = [
    "date=9999-12-31", "date=0001-01-01", "date=2026-02-30", "date=%00", "q=%00%ff", "q=%F0%9F%9A%97%25%5F",
    "q=" + "a" * 3000, "lang=xx", "lane=%2e%2e", "s=%ff&v=%00",
    "to=//example.com", "after=-1", "session=%00", "full=%ff", "full=1&lane=%00",
]  # fmt: skip
ODD_PATHS = [
    "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/%00", "/%ff", "//", "*", "/desk/static/%2e%2e%2fdesk.py",
    "/desk/lanes/%00", "/desk/visits/%ff", "/font/..%2f.ttf", "/sandbox/../sandbox/orders",
]  # fmt: skip
KINDS = [
    b"Content-Type: application/json", b"Content-Type: multipart/form-data; boundary=x",
    b"Content-Type: application/x-www-form-urlencoded",
    b"Content-Type: application/x-www-form-urlencoded; charset=nope",
]  # fmt: skip


def odd_requests(name: str) -> list[tuple[str, str, list[bytes], bytes]]:
    """(method, path, headers, body): what no document describes and no well-behaved client sends."""
    filled = [(method, path.replace("{action}", "lift")) for method, path in operations(name)]
    known = [(method, re.sub(r"\{\w+\}", LANE, path)) for method, path in filled]
    known = [one for one in known if one not in STREAMS]
    posts = [path for method, path in known if method == "POST"]
    found = [(method, path, [header], b"x") for method, path in known[:6] for header in ODD_HEADERS]
    found += [("POST", path, [kind], body) for path in posts[:7] for body in ODD_BODIES for kind in KINDS]
    found += [("GET", f"{path}?{query}", [], b"") for method, path in known if method == "GET" for query in ODD_QUERIES]
    found += [
        (method, path, [], b"") for path in ODD_PATHS for method in ("GET", "POST", "PUT", "DELETE", "TRACE", "BREW")
    ]
    return found


@pytest.mark.parametrize("name", NAMES)
async def test_no_odd_request_is_an_error_of_the_server(name: str, tmp_path: Path) -> None:
    """As whoever is signed in, where one can be: a stranger gets no further than the sign-in."""
    async with serving(name, tmp_path) as server:
        port = int(server.url.rpartition(":")[2])
        cookie = b""
        if isinstance(server.prepare, SignedIn):
            asked = requests.Request("GET", f"{server.url}/desk/").prepare()
            await asyncio.to_thread(server.prepare, asked)
            cookie = f"Cookie: {asked.headers['Cookie']}\r\n".encode()
        wrong = []
        for method, path, headers, body in odd_requests(name):
            head = b"".join(header + b"\r\n" for header in headers)
            host = b"" if head.startswith(b"Host") else b"Host: 127.0.0.1\r\n"
            chunked = b"Transfer-Encoding" in head
            length = b"" if chunked else b"Content-Length: %d\r\n" % len(body)
            begins = f"{method} {path} HTTP/1.1\r\nConnection: close\r\n".encode()
            sent = begins + host + head + (cookie if b"Cookie" not in head else b"") + length + b"\r\n"
            answer = await answer_to(port, sent + (b"1\r\nx\r\n0\r\n\r\n" if chunked else body))
            status = int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0
            if status >= 500 and status != 503:
                wrong.append((status, method, path[:80], headers, body[:60]))
            assert b"Traceback" not in answer
    assert not wrong, "\n".join(map(str, wrong))


async def answer_to(port: int, data: bytes) -> bytes:
    """What comes until the server closes, or the beginning of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        async with asyncio.timeout(15):
            return await reader.read(65536)
    finally:
        writer.transport.abort()
