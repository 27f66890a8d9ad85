"""What the keys of the configuration take: types with their limits, and the words of an error about them."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f|]{1,64}\Z", description="1 to 64 characters on one line, no |")]
Host = Annotated[str, Meta(pattern=r"^[A-Za-z0-9.:_-]{1,253}\Z", description="an address or name to listen on")]
TcpPort = Annotated[int, Meta(ge=0, le=65535, description="a port, 0 to 65535 (0 = any free one)")]
Pin = Annotated[int, Meta(ge=0, le=27, description="a GPIO number, 0 to 27")]
Price = Annotated[
    str, Meta(pattern=r"^(0|[1-9][0-9]{0,5})(\.[0-9]{1,2})?\Z", description='dirhams in quotes, such as "10.00"')
]
Partner = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9]{1,12}\Z", description="a merchant id of up to 12 letters and digits, in quotes")
]
Payee = Annotated[str, Meta(pattern=r"^[0-9]{12}\Z", description="a merchant id of 12 digits, in quotes")]
Offset = Annotated[int, Meta(ge=-480, le=480, description="pixels, -480 to 480")]
PanelName = Annotated[
    Literal["st7789-240", "st7789-320", "ili9341", "ili9486", "ili9488", "framebuffer", "png"],
    Meta(description="st7789-240, st7789-320, ili9341, ili9486, ili9488, framebuffer or png"),
]
PanelSize = Annotated[
    str,
    Meta(
        pattern=r"^([1-9]|1[0-9])[0-9]{2}x([1-9]|1[0-9])[0-9]{2}\Z",
        description='pixels, such as "480x320" or "1024x600"',
    ),
]
Arm = Annotated[float, Meta(ge=0.05, le=60, description="seconds, 0.05 to 60")]
File = Annotated[Path, Meta(description="the path of a file")]
LaneId = Annotated[
    str, Meta(pattern=r"^(?!garage\Z)[a-z0-9-]{1,16}\Z", description="1 to 16 of a-z, 0-9, -; not garage")
]

_TAKEN = "reader|worker|listener|barrier|lcd|loops|console|alerts|discovery|refund|broker|camera|tickets|lane|run|self"
WATCHER = rf"^(?!({_TAKEN})(-|\Z))[A-Za-z0-9_][A-Za-z0-9_-]{{0,31}}\Z"
"""The names of users who may only listen. The names and client ids of roles' users are taken."""
WatcherNames = Annotated[
    tuple[Annotated[str, Meta(pattern=WATCHER)], ...],
    Meta(max_length=32, description="a list of users' names, as [\"watch\"]: no role's, of letters, digits, _ and -"),
]
