"""The operator's own idle picture: a PNG in the panel's own pixels, looked at before the lane opens."""

import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from terminal.screen.qr import bears_code

LARGEST = 8 * 1024 * 1024
"""Bytes of a file that is read at all."""


class PictureError(ValueError):
    """This file cannot be the idle picture; the text is one line that says why."""


def load(path: Path, size: tuple[int, int]) -> Image.Image:
    """The picture, RGB; what is transparent in it is white. Raises PictureError for what is no PNG of exactly ``size``,
    is animated, bears a bar code (a panel shows no code to pay by that a worker has not signed), or cannot be read."""
    width, height = size
    try:
        if path.stat().st_size > LARGEST:
            raise PictureError(f"{path} has more than {LARGEST // (1024 * 1024)} MiB")
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=["PNG"]) as image:
                if image.size != size:
                    raise PictureError(f"{path} has {image.width}x{image.height} px; the panel has {width}x{height}")
                if getattr(image, "n_frames", 1) > 1:
                    raise PictureError(f"{path} moves; a still PNG is needed")
                layer = image.convert("RGBA")
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError(f"{path} is no PNG") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise PictureError(f"{path} has far more pixels than the panel's {width}x{height}") from None
    except FileNotFoundError:
        raise PictureError(f"{path} is not there") from None
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's words for a damaged file
        raise PictureError(f"{path} cannot be read: {error}") from None
    picture = Image.alpha_composite(Image.new("RGBA", size, "white"), layer).convert("RGB")
    if bears_code(picture):
        raise PictureError(f"{path} bears a bar code; drivers would take it for the payment's")
    return picture
