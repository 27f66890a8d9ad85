"""terminal/contract/README.md says what the code does: each topic, field, key and option, and no other."""

import argparse
import json
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from terminal.__main__ import parser
from terminal.config.schema import SECTIONS, hints, takes
from terminal.contract.asyncapi import SIGNED_TEXTS, document

PAGE = (Path(__file__).parents[1] / "terminal/contract/README.md").read_text(encoding="utf-8")
DOCUMENT = document()
SCHEMAS: dict[str, dict[str, Any]] = DOCUMENT["components"]["schemas"]
EVERY = ("v", "id", "at")
"""What each message has."""
WORDS = {
    "UUIDv7": "UUIDv7",
    "RFC 3339, UTC; we write milliseconds": "time",
    "AED with two decimals; compared as a number": "amount",
    "PayBy merchantOrderNo": "order number",
}
TYPES = {"string": "text", "integer": "integer", "boolean": "boolean"}


def chapter(title: str, level: str = "##") -> str:
    """What stands between a heading and the next one of its level, or of a higher one."""
    end = rf"(?=^#{{1,{len(level)}}} |\Z)"
    found = re.search(rf"^{level} {re.escape(title)}$(.*?){end}", PAGE, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of a text's one table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert set(lines[1]) == {"|", "-"}
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]*)`", text)


# -- topics and messages -----------------------------------------------------------------------------------------


def test_each_topic_has_its_publishers_and_is_kept_as_the_contract_says() -> None:
    said = {what: (by, kept) for what, by, kept, _ in rows(chapter("Topics"))}
    assert len(said) == len(rows(chapter("Topics")))
    roles = set(DOCUMENT["components"]["parameters"]["role"]["enum"]) - {"run"}
    expected = {}
    for kind, channel in DOCUMENT["channels"].items():
        by = channel["x-published-by"]
        what = f"`{kind}/<role>`" if "role" in channel["parameters"] else f"`{kind}`"
        expected[what] = "every role" if set(by) == roles else ", ".join(by), "yes" if channel["x-retained"] else "no"
    assert said == expected


HEADINGS = re.findall(r"^### (.+)$", chapter("Messages"), re.MULTILINE)


def test_each_message_and_what_stands_in_one_has_its_chapter() -> None:
    assert sorted(quoted(heading)[0] for heading in HEADINGS) == sorted(
        [*DOCUMENT["channels"], *(name for name in SCHEMAS if name.lower() not in DOCUMENT["channels"])]
    )


def word(schema: dict[str, Any]) -> list[str]:
    """What a field takes, in the page's words."""
    if "enum" in schema:
        return sorted(str(value) for value in schema["enum"])
    for only in schema.get("allOf", []):
        return word(only)
    if "items" in schema:
        return word(schema["items"])
    if "$ref" in schema:
        return [str(schema["$ref"]).rpartition("/")[2]]
    return [WORDS.get(schema.get("title", ""), TYPES[schema["type"]])]


def needed(schema: dict[str, Any], field: str) -> str:
    """When a field must be there, in the page's words."""
    if field in schema["required"]:
        return "always"
    for rule in schema.get("allOf", []):
        if "if" in rule and field in rule["then"]["required"]:
            ((by, given),) = rule["if"]["properties"].items()
            return f"with `{by}` " + ", ".join(f"`{value}`" for value in given["enum"])
        if rule.get("anyOf", [])[1:] == [{"required": [field]}]:
            return f"without `{rule['anyOf'][0]['required'][0]}`"
    return ""


@pytest.mark.parametrize("heading", ["", *HEADINGS], ids=lambda heading: quoted(heading)[0] if heading else "every")
def test_a_message_has_these_fields(heading: str) -> None:
    if heading:
        name = quoted(heading)[0]
        schema = SCHEMAS[name[0].upper() + name[1:]]
        of_each = EVERY if name in DOCUMENT["channels"] else ()
        fields = {field: said for field, said in schema["properties"].items() if field not in of_each}
        table = rows(chapter(heading, "###"))
    else:
        schema = SCHEMAS["Vehicle"]
        fields = {field: schema["properties"][field] for field in EVERY}
        table = rows(chapter("Messages").partition("\n### ")[0])
    assert [row[0] for row in table] == [f"`{field}`" for field in fields]
    assert {row[0]: row[1] for row in table} == {f"`{field}`": needed(schema, field) for field in fields}
    assert {row[0]: sorted(quoted(row[2])) or [row[2]] for row in table} == {
        f"`{field}`": word(said) for field, said in fields.items()
    }
    assert {row[0]: row[3] for row in table} == {f"`{field}`": said["description"] for field, said in fields.items()}


def test_the_signed_texts_are_those_that_are_signed() -> None:
    assert chapter("Signatures").split("```")[1].strip().splitlines() == list(SIGNED_TEXTS.values())


# -- configuration and commands ----------------------------------------------------------------------------------


def test_each_key_of_the_configuration_has_its_default_and_what_it_takes() -> None:
    expected = {}
    for name, kind in SECTIONS.items():
        for field in msgspec.structs.fields(kind):
            default: Any = field.default
            if default is msgspec.NODEFAULT and not field.required:
                default = typing.cast("Any", field.default_factory)()
            shown = "needed" if field.required else "none" if default is None else f"`{json.dumps(default)}`"
            expected[f"`{name}.{field.name}`"] = shown, takes(hints(kind)[field.name])
    table = rows(chapter("Configuration"))
    assert {key: (default, what.replace(r"\|", "|")) for key, default, what, _ in table} == expected
    assert len(table) == len(expected)


def options() -> Iterator[tuple[str, str]]:
    """Each command, and each option of it, with its default."""
    (commands,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    for name, command in commands.choices.items():
        yield name, ""
        for action in command._actions:
            if action.dest not in ("help", "config"):
                word = action.option_strings[0] if action.option_strings else action.metavar
                yield f"{name} {word}", f"`{action.default}`" if action.default else ""


def test_each_command_has_its_options_and_their_defaults() -> None:
    assert [(quoted(name)[0], default) for name, default, _ in rows(chapter("Commands"))] == list(options())
