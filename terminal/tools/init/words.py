"""What ``init`` prints: what it made, which values still stand in, and what to do next."""

import ipaddress
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from terminal.config.schema import Settings
from terminal.tools.init.answers import LANE, SERVER
from terminal.tools.init.broker import BROKER
from terminal.tools.init.bundle import file_of
from terminal.tools.init.certificates import REQUESTS
from terminal.tools.init.configuration import Value
from terminal.tools.init.folder import Folder
from terminal.tools.init.keys import UPLOAD

SHAPE_QUESTION = (
    "What is this machine: single (everything at the one lane), server (of a garage), lane (of a garage with a server)"
    " [single]: "
)
_PROGRAM = "exit-terminal --config"


def made(shape: str, folder: Folder) -> str:
    """The files that were made, and those that were there before."""
    lines = [f"Made for a {shape} in {folder.root}, for the user {folder.owner.name}:"]
    lines += [f"  {name}" for name in sorted(folder.made)]
    if folder.kept:
        lines += ["Kept as they were:", *(f"  {name}" for name in sorted(set(folder.kept)))]
    return "\n".join(lines)


def stand_ins(keys: Collection[str], values: Mapping[str, Value]) -> str:
    """The keys that somebody must still set, with the values that stand there."""
    return "\n".join(
        ["Still to be set in the configuration, where a value only stands in:", *(f"  {k} = {values[k]}" for k in keys)]
    )


def next_steps(shape: str, folder: Folder, file: Path, settings: Settings, waits: Collection[str] = ()) -> str:
    """What a person does next, in that order. ``waits``: certificates that the garage's authority must still issue."""
    root, steps = folder.root, []
    if shape == LANE:
        steps += _missing_at_lane(settings)
    else:
        steps += [
            "upload the merchant's public key in PayBy's portal: deploy/payby.md, 2. It is one key in every form that"
            f" a portal may want: {UPLOAD}/merchant.pub.pem (PEM), merchant.pub.pkcs1.pem (PEM of PKCS#1),"
            " merchant.pub.base64 (one line), merchant.pub.der (binary)",
            *_payby_key(settings),
            "copy secrets/ticket-k1 to the entry terminal: it signs the tickets",
            *_beside(settings),
        ]
    if waits:
        steps.append(
            f"have the garage's authority sign each request in {root / REQUESTS}/, and put the certificates here:"
            f" {', '.join(waits)}"
        )
    if shape == SERVER:
        steps += [
            f"install Mosquitto and copy {root / BROKER}/ to /etc/mosquitto/: deploy/install.md, 4",
            f"make each lane's bundle: exit-terminal init {root} --lane exit-1",
        ]
    steps += [
        f"{_PROGRAM} {file} check",
        f"{_PROGRAM} {file} run, or the service: deploy/install.md, 7",
    ]
    return "\n".join(["Next:", *(f"  {number}. {step}" for number, step in enumerate(steps, 1))])


def _beside(settings: Settings) -> list[str]:
    """What the sections that a garage may leave out ask of a person."""
    steps = []
    if settings.receipt and settings.receipt.url:
        steps.append(f"let the reverse proxy pass {settings.receipt.url}/ on to the listener's /receipt/: deploy/proxy")
    for name, public in settings.paystation.trusted.items() if settings.paystation else ():
        private = public.with_name(f"{name}.pem")
        if private.exists():
            steps.append(
                f"move {private} to the pay station, which signs with it as {name}, and give it the password of the"
                " broker's user paystation: deploy/operations.md"
            )
    return steps


def _payby_key(settings: Settings) -> list[str]:
    payby = settings.payby
    if payby is None or all(path.exists() for path in payby.payby_public_key):
        return []
    absent = next(path for path in payby.payby_public_key if not path.exists())
    if payby.base_url.startswith("http:"):
        folder = absent.parent
        return [
            f"start the sandbox in place of PayBy: exit-terminal sandbox --folder {folder}"
            f" --merchant-key {folder.parent / UPLOAD}/merchant.pub.pem"
        ]
    return [f"download PayBy's public key from its portal as {absent}: deploy/payby.md, 2"]


def _missing_at_lane(settings: Settings) -> list[str]:
    files = [*(settings.lift.trusted.values() if settings.lift else ())]
    files += [*(settings.payby.payby_public_key if settings.payby else ())]
    if mqtt := settings.mqtt:
        files += [path for path in (mqtt.password_file, mqtt.ca_file, mqtt.cert_file, mqtt.key_file) if path]
    absent = [str(path) for path in files if not path.exists()]
    if not absent:
        return []
    lane = settings.lane.id if settings.lane else "LANE"
    return [
        f"bring these files from the garage's server, where `exit-terminal init --lane {lane}` puts all of them, and a"
        f" configuration, into one to carry (here: init --from {Path(file_of(lane)).name}): {', '.join(absent)}"
    ]


def bundle_made(lane: str, folder: Folder, files: Collection[str], absent: Collection[str], url: str) -> str:
    """What is in a lane's file, what is still absent, and how it gets to the lane; ``url`` is the broker's."""
    path = folder.root / file_of(lane)
    lines = [f"{path}: what the lane {lane} needs, and nothing that makes tickets, orders or lifts:"]
    lines += [f"  {name}" for name in sorted(files)]
    if absent:
        lines.append(
            f"Not in it, since it is not here yet: {', '.join(absent)}. Download PayBy's public key (deploy/payby.md,"
            f" 2), have a certificate's request in {REQUESTS}/ signed, then: exit-terminal init {folder.root} --lane"
            f" {lane} --replace"
        )
    if _is_loopback(url):
        lines.append(
            f"The lane cannot reach {url}: correct mqtt.url, or give --mqtt-url, and make it anew with --replace."
        )
    lines += [
        "Next:",
        f"  1. copy {folder.root / BROKER}/acl to /etc/mosquitto/ and reload Mosquitto: it knows the lane now",
        f"  2. carry the file to the lane's machine; there: exit-terminal init --from {path.name}, and delete it",
    ]
    return "\n".join(lines)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
