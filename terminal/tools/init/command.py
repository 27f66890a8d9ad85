"""``exit-terminal init``: a configuration with fresh keys, in a folder.

The configuration is written last: where it is, everything is, and nothing is made or altered any more, but for a lane's
bundle that ``--lane`` asks for. Where a start was interrupted, the keys that are there are kept.
"""

import os
import pwd
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from terminal.config.load import checked, load, parse
from terminal.config.schema import ConfigError, Settings
from terminal.tools.init import broker, bundle, configuration, keys, layout, renewal, revocation, words
from terminal.tools.init.answers import COUPONS, LANE, SERVER, SINGLE, STATION, gather
from terminal.tools.init.certificates import Issuer, issuer
from terminal.tools.init.folder import Folder, owner_of

_HEAD = """\
Written by `exit-terminal init` ({shape}). Every key there is, with what it means: deploy/exit-terminal.toml.
Paths are relative to this file. Any value may come from the environment as EXIT_TERMINAL_<SECTION>_<KEY>."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for. ``given``: the answers that stand in options, by their names."""

    file: Path
    given: Mapping[str, str | None]
    shape: str | None = None
    lanes: tuple[str, ...] = ()
    payby: str | None = None
    user: str | None = None
    bundle_from: Path | None = None
    replace: bool = False
    renew: tuple[str, ...] = ()
    revoke: tuple[str, ...] = ()
    ca: Path | None = None
    ca_key: Path | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The machine and the person: ``prompt`` is None where nobody can be asked."""

    environ: Mapping[str, str]
    now: datetime
    host: str
    prompt: Callable[[str], str] | None = None
    say: Callable[[str], None] = print


def run(request: Request, around: Surroundings) -> int:
    """Make what is asked for, and say what to do next; returns 0. Raises ConfigError, before anything is made where a
    value is at fault."""
    for lane in request.lanes:
        checked("lane.id", lane)
    file = Path(os.path.abspath(request.file))
    folder = Folder(file.parent, owner_of(request.user, os.getuid(), pwd.getpwuid(os.getuid()).pw_name))
    if request.bundle_from:
        return _unpack(request, around, folder, file)
    if file.exists():
        settings = load(file, around.environ)
        shape = shape_of(settings)
        for what in request.renew:
            renewal.renew(what, folder, settings, around.now, around.say)
        for user in request.revoke:
            revocation.revoke(user, folder, settings, around.now, around.say)
        if request.renew or request.revoke:
            return 0
        if request.shape not in (None, shape):
            raise ConfigError(f"init: --shape: got {request.shape}, but {file} is a {shape}'s; choose another folder")
        if shape == SERVER and request.lanes:
            return _bundles(request, around, folder, settings)
        if request.lanes and settings.lane and request.lanes != (settings.lane.id,):
            raise ConfigError(
                f"init: --lane: {file} is a {shape}'s, of the lane {settings.lane.id}; bundles for lanes are made where"
                " a garage server's is: --shape server"
            )
        around.say(f"{file} is there already: nothing was changed.")
        around.say(words.next_steps(shape, folder, file, settings))
        return 0
    if request.renew or request.revoke:
        option = "--renew" if request.renew else "--revoke"
        raise ConfigError(f"init: {option}: {file} is absent, takes a folder that `init` has made")
    return _make(request, around, folder, file)


def shape_of(settings: Settings) -> str:
    """What a configuration is, by its sections."""
    if settings.lane is None and "lane" not in settings.absent:
        return SERVER
    return SINGLE if settings.journal else LANE


def _make(request: Request, around: Surroundings, folder: Folder, file: Path) -> int:
    shape = request.shape or _asked_shape(around)
    if len(request.lanes) > 1 and shape != SERVER:
        raise ConfigError(f"init: --lane: got {len(request.lanes)} lanes, takes one for a {shape}")
    if request.ca_key and not request.ca:
        raise ConfigError("init: --ca-key: got it alone, takes the authority's certificate with it: --ca")
    if request.ca and shape != SERVER:
        raise ConfigError(f"init: --ca: got it for a {shape}, takes it for a server, which has the broker")
    given = dict(request.given)
    if shape != SERVER and request.lanes:
        given["lane"] = request.lanes[0]
    hardware = {option: given.pop(option, None) for option in _KERB_OPTIONS} if shape == SERVER else {}
    answers = gather(shape, given, around.host, around.prompt, around.say)
    payby = request.payby or "uat"
    values = layout.values(shape, answers, payby)
    to_set = [key for key in answers.to_set if payby != "sandbox" or key != "payby.partner_id"]
    text = configuration.text(values, head=_HEAD.format(shape=shape), to_set=to_set)
    parse(text, file)  # before anything is made
    url = answers.get("mqtt.url")
    if shape != LANE:
        keys.merchant(folder, layout.MERCHANT)
        keys.signer(folder, layout.WORKER)
        keys.signer(folder, layout.CONSOLE)
        keys.ticket(folder, layout.TICKET)
        if COUPONS in values:
            keys.ticket(folder, layout.COUPON)
        if station := answers.get(STATION):
            keys.signer(folder, layout.station_key(station))
        for user in layout.users(shape):
            keys.password(folder, f"{layout.PASSWORDS}/{user}")
    authority: Issuer | None = None
    if shape == SERVER and layout.secure(url):
        authority = issuer(folder, answers["garage.id"], around.now, request.ca, request.ca_key)
        for user in (layout.RUN_USER, layout.REFUND_USER):
            authority.client(*layout.certificate(user), user)
        broker.write(folder, answers["garage.id"], url, authority)
    folder.write(file.name, text.encode(), 0o640)
    settings = load(file, around.environ)
    around.say(words.made(shape, folder))
    if to_set:
        around.say(words.stand_ins(to_set, values))
    around.say(words.next_steps(shape, folder, file, settings, authority.waits if authority else ()))
    if shape == SERVER and request.lanes:
        for lane in request.lanes:
            _bundle(lane, request.replace, around, folder, settings, url, hardware)
    return 0


_KERB_OPTIONS = ("reader", "device", "panel", "pins")
"""Answers of a lane's, which a server passes on to the bundles that it makes."""


def _asked_shape(around: Surroundings) -> str:
    if around.prompt is None:
        return SINGLE
    while True:
        try:
            told = around.prompt(words.SHAPE_QUESTION).strip() or SINGLE
        except EOFError:
            raise ConfigError("init: no answer; --shape single, server or lane gives it as well") from None
        if told in (SINGLE, SERVER, LANE):
            return told
        around.say(f"got {told[:40]!r}, takes single, server or lane")


def _bundles(request: Request, around: Surroundings, folder: Folder, settings: Settings) -> int:
    settings.require("worker")
    given = {option: request.given.get(option) for option in _KERB_OPTIONS}
    for option, told in request.given.items():
        if told is not None and option not in (*_KERB_OPTIONS, "mqtt_url"):
            name = f"--{option.replace('_', '-')}"
            raise ConfigError(f"init: {name}: a lane takes it from this server's configuration; correct it there")
    url = request.given.get("mqtt_url") or (settings.mqtt.url if settings.mqtt else "")
    for lane in request.lanes:
        _bundle(lane, request.replace, around, folder, settings, url, given)
    return 0


def _bundle(
    lane: str,
    replace: bool,
    around: Surroundings,
    folder: Folder,
    settings: Settings,
    url: str,
    given: Mapping[str, str | None],
) -> None:
    """One lane's file, unless it is there."""
    name = bundle.file_of(lane)
    if folder.has(name) and not replace:
        around.say(f"{folder.root / name} is there already: nothing was changed; --replace makes it anew.")
        return
    assert settings.garage
    checked("mqtt.url", url)
    hardware = gather(LANE, {**given, "lane": lane}, around.host, None, around.say)
    authority = issuer(folder, settings.garage.id, around.now) if layout.secure(url) else None
    files, absent = bundle.lane_files(folder, settings, hardware, url, authority)
    folder.write(name, bundle.pack(files, int(around.now.timestamp())), replace=True)
    if broker.is_ours(folder.root):
        broker.write_users(folder, settings.garage.id)
    around.say(words.bundle_made(lane, folder, files, absent, url))


def _unpack(request: Request, around: Surroundings, folder: Folder, file: Path) -> int:
    assert request.bundle_from
    if request.shape not in (None, LANE):
        raise ConfigError(f"init: --from: got --shape {request.shape}, takes a lane's bundle, for --shape lane")
    files = bundle.unpack(request.bundle_from)
    if file.name != bundle.CONFIGURATION:
        files[file.name] = files.pop(bundle.CONFIGURATION)
    if file.exists():
        around.say(f"{file} is there already: nothing was changed.")
    else:
        bundle.put(folder, files)
        around.say(words.made(LANE, folder))
    around.say(words.next_steps(LANE, folder, file, load(file, around.environ)))
    return 0


def utc_now() -> datetime:
    """For who calls run()."""
    return datetime.now(UTC)
