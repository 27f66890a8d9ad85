"""Nothing is reachable without signing in, and nobody does what his role may not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.embedded import EmbeddedBroker
from terminal.config.users import FILE, UsersFile
from terminal.roles.console.desk_journal import audit_rows
from terminal.roles.console.guard import HEADERS
from tests.support.console_desk import CODE, LANE, PASSWORD, SESSION, DeskRig, open_desk


@pytest.fixture
async def rig(embedded: EmbeddedBroker, tmp_path: Path) -> AsyncIterator[DeskRig]:
    async with open_desk(embedded, tmp_path / "console") as opened:
        await opened.opens()
        yield opened


READ = (
    "/", f"/lanes/{LANE}", f"/lanes/{LANE}/glass.png", f"/visits/{SESSION}", f"/search?q={CODE}", "/alerts", "/day",
    "/day.csv", "/audit", "/audit.csv", "/events", "/part/alerts", "/no/such/page",
)  # fmt: skip


@pytest.mark.parametrize("path", READ)
async def test_a_stranger_reads_nothing(rig: DeskRig, path: str) -> None:
    status, text = await rig.stranger().get(path)
    assert status in (303, 401)
    assert LANE not in text


@pytest.mark.parametrize("path", [f"/lanes/{LANE}/lift", f"/lanes/{LANE}/refund", "/alerts/seen", "/sign-out"])
async def test_a_stranger_does_nothing(rig: DeskRig, path: str) -> None:
    status, _, to = await rig.stranger().post(path, {"reason": "emergency", "once": "x" * 16, "csrf": ""})
    assert (status, to) == (303, "/desk/sign-in?to=")
    assert rig.role.desk.book.actions == {}


async def test_who_signs_in_comes_to_the_page_that_he_wanted(rig: DeskRig) -> None:
    stranger = rig.stranger()
    async with stranger.http.get(f"{rig.url}/lanes/{LANE}") as answer:
        assert str(answer.url) == f"{rig.url}/sign-in?to=lanes/{LANE}"
        assert f'value="lanes/{LANE}"' in await answer.text()
    form = {"name": "amal", "password": PASSWORD, "to": f"lanes/{LANE}"}
    assert (await stranger.post("/sign-in", form))[2] == f"/desk/lanes/{LANE}"
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example", "lanes/..;"):
        assert (await stranger.post("/sign-in", {**form, "to": elsewhere}))[2] == "/desk/"


async def test_the_cookie_is_for_this_site_alone_and_no_script_reads_it(rig: DeskRig) -> None:
    stranger = rig.stranger()
    form = {"name": "amal", "password": PASSWORD}
    async with stranger.http.post(f"{rig.url}/sign-in", data=form, allow_redirects=False) as answer:
        (cookie,) = answer.headers.getall("Set-Cookie")
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/desk"))
    assert "Secure" not in cookie  # plain HTTP on the loopback
    async with stranger.http.post(
        f"{rig.url}/sign-in", data=form, allow_redirects=False, headers={"X-Forwarded-Proto": "https"}
    ) as answer:
        assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("path", ["/sign-in", "/", "/static/desk.css", "/no/such/page"])
async def test_every_answer_says_what_a_browser_may_do_with_it(rig: DeskRig, path: str) -> None:
    person = await rig.person()
    async with person.http.get(f"{rig.url}{path}") as answer:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
        if path != "/static/desk.css":
            assert answer.headers["Cache-Control"] == "no-store"
            text = await answer.text()
            assert "<script>" not in text
            assert " style=" not in text
            assert " onclick=" not in text


async def test_a_form_needs_the_token_of_its_own_sign_in(rig: DeskRig) -> None:
    amal, omar = await rig.person("amal"), await rig.person("omar")
    form = await amal.form(f"/lanes/{LANE}", f"lanes/{LANE}/close-lane")
    others = (await omar.form(f"/lanes/{LANE}", f"lanes/{LANE}/close-lane"))["csrf"]
    for token in ("", "x", others):
        status, _, _ = await amal.post(f"/lanes/{LANE}/close-lane", {**form, "csrf": token, "reason": "maintenance"})
        assert status == 400
    assert rig.role.desk.book.actions == {}


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
     {"Sec-Fetch-Site": "same-site"}],
)  # fmt: skip
async def test_a_form_of_another_site_is_refused(rig: DeskRig, headers: dict[str, str]) -> None:
    amal = await rig.person()
    form = await amal.form(f"/lanes/{LANE}", f"lanes/{LANE}/close-lane")
    assert (await amal.post(f"/lanes/{LANE}/close-lane", {**form, "reason": "maintenance"}, **headers))[0] == 403
    assert (await rig.stranger().post("/sign-in", {"name": "amal", "password": PASSWORD}, **headers))[0] == 403
    assert rig.role.desk.book.actions == {}


async def test_who_may_only_look_gets_no_buttons_and_does_nothing(rig: DeskRig) -> None:
    vera = await rig.person("vera")
    _, text = await vera.get(f"/lanes/{LANE}")
    assert "<dialog" not in text
    token = (await vera.form("/", "sign-out"))["csrf"]
    for path in (f"/lanes/{LANE}/lift", f"/lanes/{LANE}/close-lane", "/alerts/seen"):
        form = {"csrf": token, "once": "x" * 16, "reason": "emergency", "key": "x"}
        assert (await vera.post(path, form))[0] == 403
    assert rig.role.desk.book.actions == {}
    assert rig.role.desk.book.seen == {}


async def test_the_audit_is_a_managers(rig: DeskRig) -> None:
    amal, maha = await rig.person("amal"), await rig.person("maha")
    for path in ("/audit", "/audit.csv"):
        assert (await amal.get(path))[0] == 403
        status, text = await maha.get(path)
        assert status == 200
        assert "amal" in text


async def test_a_wrong_password_and_an_unknown_name_are_told_alike_and_journaled(rig: DeskRig) -> None:
    stranger = rig.stranger()
    told = set()
    for name in ("amal", "nobody", "<script>alert(1)</script>"):
        status, text, _ = await stranger.post("/sign-in", {"name": name, "password": "wrong password"})
        assert status == 401
        assert "alert(1)" not in text
        told.add("Name or password is wrong." in text)
    assert told == {True}
    rows = list(audit_rows(rig.role._journal.journal.replay(), 0, 1 << 60))
    assert [(row["what"], row["user"], row["why"]) for row in rows] == [
        ("refused", "amal", "wrong password"),
        ("refused", "nobody", "no such user"),
        ("refused", "<script>alert(1)</script>", "no such user"),
    ]
    assert all("wrong password" not in str(row.get("password", "")) for row in rows)


async def test_many_tries_wait_even_with_the_right_password(rig: DeskRig) -> None:
    stranger = rig.stranger()
    for _ in range(5):
        assert (await stranger.post("/sign-in", {"name": "amal", "password": "wrong"}))[0] == 401
    async with stranger.http.post(f"{rig.url}/sign-in", data={"name": "amal", "password": PASSWORD}) as answer:
        assert answer.status == 429
        assert answer.headers["Retry-After"] in ("1", "2")
        assert "Too many tries" in await answer.text()


async def test_signing_out_ends_the_sign_in_and_both_are_journaled(rig: DeskRig) -> None:
    amal = await rig.person()
    form = await amal.form("/", "sign-out")
    kept = {cookie.key: cookie.value for cookie in amal.http.cookie_jar}
    assert (await amal.post("/sign-out", form))[0] == 303
    amal.http.cookie_jar.update_cookies(kept)  # somebody kept the cookie
    assert (await amal.get("/"))[0] == 303
    rows = list(audit_rows(rig.role._journal.journal.replay(), 0, 1 << 60))
    assert [(row["what"], row["user"]) for row in rows] == [("in", "amal"), ("out", "amal")]


async def test_who_is_removed_is_out_at_once_and_who_has_another_role_signs_in_anew(rig: DeskRig) -> None:
    amal, omar = await rig.person("amal"), await rig.person("omar")
    assert (await amal.get("/"))[0] == (await omar.get("/"))[0] == 200
    users = UsersFile(rig.folder / FILE)
    users.remove("amal")
    await asyncio.to_thread(users.add, "omar", "view", PASSWORD, day="2026-11-30", replace=True)
    assert (await amal.get("/"))[0] == (await omar.get("/"))[0] == 303
    rows = list(audit_rows(rig.role._journal.journal.replay(), 0, 1 << 60))
    assert [row["user"] for row in rows if row["what"] == "ended"] == ["amal", "omar"]


async def test_a_users_file_that_cannot_be_used_lets_nobody_in_and_throws_nobody_out(rig: DeskRig) -> None:
    amal = await rig.person()
    assert (await amal.get("/"))[0] == 200
    file = rig.folder / FILE
    for spoil in (lambda: file.chmod(0o644), lambda: file.write_text("{")):
        spoil()
        status, text, _ = await rig.stranger().post("/sign-in", {"name": "amal", "password": PASSWORD})
        assert status == 503
        assert "exit-terminal user list says why" in text
        assert (await amal.get("/"))[0] == 200
    file.unlink()
    status, text = await rig.stranger().get("/sign-in")
    assert "exit-terminal user add" in text
    assert (await amal.get("/"))[0] == 303


async def test_an_address_is_believed_only_from_a_proxy_on_this_machine(rig: DeskRig) -> None:
    stranger = rig.stranger()
    await stranger.post("/sign-in", {"name": "x", "password": "y"}, **{"X-Forwarded-For": "10.1.1.1, 203.0.113.9"})
    await stranger.post("/sign-in", {"name": "x", "password": "y"}, **{"X-Forwarded-For": "<nonsense>"})
    rows = list(audit_rows(rig.role._journal.journal.replay(), 0, 1 << 60))
    assert [row["address"] for row in rows] == ["203.0.113.9", "127.0.0.1"]


async def test_the_language_is_the_browsers_until_it_is_chosen(rig: DeskRig) -> None:
    stranger = rig.stranger()
    _, text = await stranger.get("/sign-in", **{"Accept-Language": "ar-AE,en;q=0.5"})
    assert '<html lang="ar" dir="rtl">' in text
    _, text = await stranger.get("/sign-in?lang=en", **{"Accept-Language": "ar-AE"})
    assert '<html lang="en" dir="ltr">' in text
    _, text = await stranger.get("/sign-in", **{"Accept-Language": "ar-AE"})
    assert '<html lang="en" dir="ltr">' in text
