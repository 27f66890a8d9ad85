"""The operator's own idle picture: a PNG of the panel's size, checked before the lane opens."""

import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from terminal.screen.qr import bears_code

LARGEST = 8 * 1024 * 1024
"""The most bytes of a file that is read at all."""


class PictureError(ValueError):
    """The file cannot be the idle picture; the text is one line that says why."""


def load(path: Path, size: tuple[int, int]) -> Image.Image:
    """The picture, RGB, with white for what is transparent. Raises PictureError if it is not a PNG of exactly ``size``,
    is animated, has a bar code (a panel must show no code that a worker has not signed), or cannot be read."""
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
                    raise PictureError(f"{path} is animated; use a still PNG")
                layer = image.convert("RGBA")
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError(f"{path} is not a PNG") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise PictureError(f"{path} has far more pixels than the panel's {width}x{height}") from None
    except FileNotFoundError:
        raise PictureError(f"{path} is not there") from None
    except (OSError, SyntaxError, ValueError) as error:  # the system's words, or Pillow's for a damaged file
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise PictureError(f"{path} cannot be read: {why}") from None
    picture = Image.alpha_composite(Image.new("RGBA", size, "white"), layer).convert("RGB")
    if bears_code(picture):
        raise PictureError(f"{path} has a bar code, which drivers would take for the payment's")
    return picture
