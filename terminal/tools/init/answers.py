"""What must be known about a garage before its configuration can be written. An option answers it, else a person is
asked, else a default stands in until somebody sets the value."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from terminal.config.load import checked
from terminal.config.schema import ConfigError

SINGLE, SERVER, LANE = SHAPES = ("single", "server", "lane")
"""Everything on one machine; what serves a whole garage; what stands at one of its lanes."""
PAYBY = {
    "uat": "https://uat.test2pay.com/sgs/api",
    "production": "https://api.payby.com/sgs/api",
    "sandbox": "http://127.0.0.1:8090/sgs/api",
}
"""Where the worker finds PayBy; the sandbox is `exit-terminal sandbox` on this machine."""
MQTT_PORT = 8883
NOTIFY = "/payby/notify"
"""The listener's path, which a proxy passes on."""
TRN, COUPONS, STATION = "receipt.trn", "coupon.keys", "paystation.trusted"
"""The keys of sections that a garage may leave out: whether it has them is told by their answers."""


@dataclass(frozen=True, slots=True)
class Question:
    """``key`` is the configuration key that the answer is for, ``option`` the option that gives it, ``default`` its
    value if nobody answers. ``must``: only the garage knows the real value. ``only``: the shapes that need it.
    ``after``: the question is asked only if that key has an answer. ``takes``: what an answer must look like, if the
    key itself takes something else. An empty answer to a question with ``may_be_none`` leaves the key out."""

    key: str
    option: str
    words: str
    default: str
    must: bool = False
    only: tuple[str, ...] = SHAPES
    after: str = ""
    takes: tuple[str, str] | None = None
    """A pattern, and what it is in words."""
    may_be_none: bool = False


def questions(host: str) -> tuple[Question, ...]:
    """All questions, in the order in which they are asked. ``host`` is this machine's name on its network."""
    whole = (SINGLE, SERVER)
    kerb = (SINGLE, LANE)
    return (
        Question("garage.id", "garage", "A short name of a-z and 0-9, for order numbers", "garage", must=True),
        Question("garage.name", "name", "The garage's name, as drivers know it", "Parking", must=True),
        Question("garage.name_ar", "name_ar", "The same in Arabic", "موقف السيارات", must=True),
        Question("garage.help_phone", "help_phone", "The number that a driver in trouble calls", "+971", must=True),
        Question("garage.timezone", "timezone", "Its time zone", "Asia/Dubai"),
        Question("garage.lanes", "exit_lanes", "How many exit lanes it has", "1"),
        Question("lane.id", "lane", "This lane's name, of a-z, 0-9 and -", "exit-1", only=kerb),
        Question("mqtt.url", "mqtt_url", "The broker, as lanes reach it", f"mqtts://{host}:{MQTT_PORT}",
                 only=(SERVER, LANE)),
        Question("payby.partner_id", "partner_id", "The merchant id in PayBy's portal", "200000000888", must=True),
        Question("payby.notify_url", "notify_url",
                 "The public address for PayBy's notifications; empty: payments are found by queries", "", only=whole),
        Question(TRN, "trn", "The tax registration number, if drivers are to get tax invoices; empty: none", "",
                 only=whole, may_be_none=True),
        Question("receipt.supplier", "supplier", "Who issues the invoices, as registered for VAT", "", must=True,
                 only=whole, after=TRN),
        Question("receipt.supplier_ar", "supplier_ar", "The same in Arabic", "", only=whole, after=TRN),
        Question("receipt.address", "address", "The supplier's address", "Dubai, UAE", must=True, only=whole,
                 after=TRN),
        Question("receipt.address_ar", "address_ar", "The same in Arabic", "", only=whole, after=TRN),
        Question("receipt.url", "receipt_url", "The public address of the invoices; empty: only the desk has them", "",
                 only=whole, after=TRN),
        Question(COUPONS, "coupons", "Are there coupons or season passes? yes or no", "no", only=whole,
                 takes=("yes|no", "yes or no")),
        Question(STATION, "paystation", "The name of a pay station, such as station-1; empty: none", "", only=whole,
                 takes=(r"station[a-z0-9-]{0,16}", "a name that begins with station"), may_be_none=True),
        Question("reader.driver", "reader", "The ticket scanner: serial, hid (a keyboard) or stdin", "serial",
                 only=kerb),
        Question("reader.device", "device", "The scanner's device", "/dev/ttyACM0", only=kerb),
        Question("lcd.panel", "panel",
                 "The panel: st7789-240, st7789-320, ili9341, ili9486, ili9488, framebuffer or png", "ili9488",
                 only=kerb),
        Question("gpio.pins", "pins", "Pins: auto, or mock to try it without hardware", "auto", only=kerb),
    )  # fmt: skip


@dataclass
class Answers:
    """The answers by configuration key; ``to_set`` has the keys whose default only stands in."""

    values: dict[str, str] = field(default_factory=dict)
    to_set: list[str] = field(default_factory=list)

    def __getitem__(self, key: str) -> str:
        return self.values[key]

    def get(self, key: str) -> str:
        """The answer for that key; empty if there is none."""
        return self.values.get(key, "")


def option_name(question: Question) -> str:
    """The option of `init` that answers it, as ``--name-ar``."""
    return f"--{question.option.replace('_', '-')}"


def gather(
    shape: str,
    given: Mapping[str, str | None],
    host: str,
    prompt: Callable[[str], str] | None,
    say: Callable[[str], None],
) -> Answers:
    """Returns all answers. ``given`` has the options by name; ``prompt`` asks a person, and is None if nobody can be
    asked. Raises ConfigError if an option's value is not one that its key takes, or if a person gives no answer."""
    answers = Answers()
    for question in questions(host):
        told = given.get(question.option)
        if told is not None and shape not in question.only:
            raise ConfigError(f"init: {option_name(question)}: got {told[:40]!r}, takes no value for a {shape}")
        if shape not in question.only or (question.key == "reader.device" and answers.get("reader.driver") == "stdin"):
            continue
        if question.after and not answers.get(question.after):
            if told:
                raise ConfigError(f"init: {option_name(question)}: takes --trn beside it")
            continue
        question = replace(question, default=question.default or _default(question.key, answers))
        if told is not None:
            answers.values[question.key] = _fit(question, told)
        elif prompt:
            answers.values[question.key] = _ask(question, prompt, say)
        else:
            answers.values[question.key] = question.default
            if question.must:
                answers.to_set.append(question.key)
    return answers


def _default(key: str, answers: Answers) -> str:
    """What follows from other answers: the garage's name, and the proxy that passes notifications on."""
    if key == "receipt.supplier":
        return answers["garage.name"]
    url = answers.get("payby.notify_url")
    return f"{url.removesuffix(NOTIFY)}/receipt" if key == "receipt.url" and url.endswith(NOTIFY) else ""


def _check(question: Question, told: str) -> None:
    if not told and question.may_be_none:
        return
    if question.takes is None:
        checked(question.key, told)
    elif not re.fullmatch(question.takes[0], told):
        raise ConfigError(f"{question.key}: got {told[:40]!r}, takes {question.takes[1]}")


def _fit(question: Question, told: str) -> str:
    try:
        _check(question, told)
    except ConfigError as error:
        raise ConfigError(f"init: {option_name(question)}: {error}") from None
    return told


def _ask(question: Question, prompt: Callable[[str], str], say: Callable[[str], None]) -> str:
    while True:
        try:
            told = prompt(f"{question.words} [{question.default}]: ").strip() or question.default
        except EOFError:
            raise ConfigError(f"init: {question.key}: no answer; {option_name(question)} gives it as well") from None
        try:
            _check(question, told)
        except ConfigError as error:
            say(str(error))
        else:
            return told
