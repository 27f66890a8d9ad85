"""What is wrong with a file that is no TOML, in words for who wrote it: the line, the key, and what to do.

Python's own parser names a place, which for a doubled key or a missing quote is the end of the file. No value is shown:
it may be a secret that somebody wrote in the place of its file.
"""

import re
import tomllib

_SECTION = re.compile(r"\s*\[\s*([^\[\]]*?)\s*\]\s*(#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_.-]+|\"[^\"]*\")\s*=")
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_CURLY = re.compile("[“”„‟‘’«»]")


def said(text: str, error: tomllib.TOMLDecodeError) -> str:
    """One line, without the file's name; it begins with the number of the line where one can be told."""
    message = str(error)
    found = _PLACE.search(message)
    why = message[: found.start()] if found else message
    lines = text.splitlines()
    number = int(found[1]) if found and found[1] else 0
    if why == "Cannot overwrite a value" and (twice := _doubled(lines)):
        return twice
    if why.startswith("Cannot declare") and number:
        name = _SECTION.match(_line(lines, number))
        return f"line {number}: {name[0].strip() if name else 'a section'} is there twice; put its keys into one"
    number = number or _last_written(lines)
    return f"line {number}: {_named(lines, number)}{_explained(why, _line(lines, number))}"


def _explained(why: str, line: str) -> str:
    if _CURLY.search(line):
        return 'a typographic quote, takes a plain one: "'
    if "newline or end of document" in why:
        return "more than one value behind it, takes one: a text in quotes, a number, true or false"
    if why.startswith("Illegal character '\\n'") or why in ("Unterminated string", 'Expected "\'"', "Expected '\"'"):
        return "a quote is missing at the end of its text"
    if why == "Invalid value":
        return "no value, takes a text in quotes, a number, true or false"
    if why.startswith("Expected '=' after a key"):
        return "no = behind a key, takes key = value, or [section]"
    if why.startswith("Expected ']' at the end of a table"):
        return "no ] behind a section's name"
    if why.startswith("Unclosed array"):
        return "no ] at the end of a list"
    if why.startswith("Unclosed inline table"):
        return "no } at the end of a table"
    if why.startswith("Unescaped '\\'"):
        return "a \\ in its text, takes \\\\, or the text in single quotes: '"
    if why == "Invalid statement":
        return "neither [section] nor key = value"
    return re.sub(r"[^\x20-\x7e]", "?", why[:1].lower() + why[1:])


def _doubled(lines: list[str]) -> str:
    """The first key that is there a second time."""
    first: dict[str, int] = {}
    section = ""
    for number, line in enumerate(lines, 1):
        if begun := _SECTION.match(line):
            section = f"{begun[1]}."
        elif key := _KEY.match(line):
            name = section + key[1]
            if name in first:
                return f"line {number}: {name}: it is there twice, first in line {first[name]}; take one out"
            first[name] = number
    return ""


def _named(lines: list[str], number: int) -> str:
    """The key of that line, as ``garage.id: ``; empty where it has none."""
    key = _KEY.match(_line(lines, number))
    if key is None:
        return ""
    above = (begun[1] for line in reversed(lines[:number]) if (begun := _SECTION.match(line)))
    section = next(above, "")
    return f"{section}.{key[1]}: " if section else f"{key[1]}: "


def _last_written(lines: list[str]) -> int:
    """The last line with anything in it but a comment."""
    return max((n for n, line in enumerate(lines, 1) if line.strip() and not line.strip().startswith("#")), default=1)


def _line(lines: list[str], number: int) -> str:
    return lines[number - 1] if 0 < number <= len(lines) else ""
