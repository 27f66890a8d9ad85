"""Makes others' text fit for a log line, an alert or the journal: one line, in characters that show as what they
are."""

MOST = 200
"""How many characters of others' text are kept; nobody would read more on a screen or in a log line."""


def plain(text: str, most: int = MOST) -> str:
    """One line of at most ``most`` characters; the last one is an ellipsis if the text was cut.

    Line ends and unusual spaces become a space; what has no shape of its own (control characters, halves of a
    surrogate pair, marks that turn the direction of writing) becomes U+FFFD.
    """
    cut = text if len(text) <= most else text[: most - 1] + "…"
    return cut if cut.isprintable() else "".join(c if c.isprintable() else _stand_in(c) for c in cut)


def _stand_in(character: str) -> str:
    return " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"
