"""The drawing of a lane's wiring in deploy/pictures, which deploy/raspberry-pi.md shows. Its pins are those of the
example configuration.

    python -m tests.support.wiring_drawing
"""

import re
from html import escape
from pathlib import Path

DEPLOY = Path(__file__).parents[2] / "deploy"
FILE = DEPLOY / "pictures" / "wiring.svg"
_HEADER = {17: 11, 27: 13, 22: 15, 5: 29, 6: 31}
"""GPIO numbers, and their pins on the Raspberry Pi's header of 40."""
_STYLE = (
    "text{font:15px sans-serif;fill:#111}.s{font-size:12px;fill:#444}.b{fill:#fff;stroke:#111;stroke-width:2}"
    ".w{fill:none;stroke:#1558c0;stroke-width:2}.p{fill:none;stroke:#b3261e;stroke-width:2}"
    ".g{fill:none;stroke:#111;stroke-width:2}.pi{fill:#e8f3e8;stroke:#1a7a3c;stroke-width:2}"
)


def pins() -> dict[str, int]:
    """The example's pins, by their keys."""
    example = (DEPLOY / "exit-terminal.toml").read_text(encoding="utf-8")
    return {key: int(number) for key, number in re.findall(r"^(\w+_pin) = (\d+)", example, re.MULTILINE)}


def _text(x: int, y: int, words: str, small: bool = False, anchor: str = "start") -> str:
    kind = ' class="s"' if small else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{kind}>{escape(words)}</text>'


def _box(x: int, y: int, width: int, height: int, *lines: str, kind: str = "b") -> str:
    parts = [f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="4"/>']
    top = y + height // 2 + 5 - (len(lines) - 1) * 9
    parts += [_text(x + width // 2, top + 18 * at, line, at > 0, "middle") for at, line in enumerate(lines)]
    return "".join(parts)


def _wire(points: str, kind: str = "w") -> str:
    return f'<polyline class="{kind}" points="{points}"/>'


def _ground(x: int, y: int) -> str:
    return "".join(_wire(f"{x - w},{y + d} {x + w},{y + d}", "g") for w, d in ((12, 0), (8, 5), (4, 10)))


def drawing() -> str:
    """The SVG."""
    at = pins()

    def label(key: str) -> str:
        return f"GPIO {at[key]} (pin {_HEADER[at[key]]})"

    rows = [("waiting_pin", "loop before the boom", 300), ("boom_pin", "loop under the boom", 370)]
    switches = [("up_pin", "upper limit switch", 440), ("down_pin", "lower limit switch", 510)]
    parts = [
        _box(20, 20, 170, 560, "Raspberry Pi", "header, 40 pins", kind="pi"),
        # the raise pulse
        _text(200, 72, label("raise_pin"), True),
        _wire("190,80 430,80"),
        _wire("360,80 360,120", "g"),
        _box(345, 120, 30, 60),
        _text(382, 155, "10 kΩ pull-down", True),
        _wire("360,180 360,205", "g"),
        _ground(360, 205),
        _box(430, 50, 150, 60, "relay", "active high, 3.3 V"),
        _wire("580,70 640,70", "g"),
        _wire("580,92 640,92", "g"),
        _text(610, 62, "NO", True, "middle"),
        _text(610, 110, "COM", True, "middle"),
        _box(640, 50, 150, 60, "one-shot 0.5 s", "for a level input"),
        _wire("790,70 850,70", "g"),
        _wire("790,92 850,92", "g"),
        _box(850, 40, 170, 80, "barrier's controller", "input: raise (edge)", "lowers by itself"),
        # what is heard
        _text(200, 252, "3.3 V (pin 1)", True),
        _wire("190,260 700,260", "p"),
    ]
    for key, what, y in (*rows, *switches):
        parts += [
            _text(200, y - 8, label(key), True),
            _wire(f"190,{y} 430,{y}"),
            _box(430, y - 22, 150, 44, "opto-coupler", "or relay contact"),
            _wire(f"580,{y} 640,{y} 640,{y} 700,{y} 700,260", "p"),
            _box(850, y - 22, 170, 44, what, "closed = it is there" if "loop" in what else "closed = at its end"),
            _wire(f"580,{y + 12} 850,{y + 12}", "g"),
        ]
    parts += [
        _text(200, 560, "ground (pin 39)", True),
        _wire("190,568 360,568", "g"),
        _ground(360, 568),
        _text(430, 560, "The inputs use the Pi's own pull-down: a broken wire reads as nothing there.", True),
    ]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1040 600" role="img">'
        f"<title>A lane's wiring</title><style>{_STYLE}</style>"
        '<rect width="1040" height="600" fill="#fff"/>' + "\n".join(parts) + "</svg>\n"
    )


if __name__ == "__main__":
    FILE.write_text(drawing(), encoding="utf-8")
