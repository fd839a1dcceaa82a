"""From encoded bytes to pixels of one size."""

from __future__ import annotations

import io
from typing import IO

import numpy as np

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "PPM", "TIFF")
"""Pillow knows many more, of which one starts Ghostscript on whatever program a PostScript file is."""
MAX_PIXELS = 64 * 1024 * 1024
"""An image that claims more is refused before it is decoded."""


def decode(data: bytes | IO[bytes], size: tuple[int, int] | None) -> np.ndarray:
    """(3, H, W) uint8 RGB. With `size` (H, W) the shorter side is scaled to fit and the rest cropped
    from the middle. Raises ValueError, with the reason, when the bytes are no image."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels are more than {MAX_PIXELS}")
            image.draft("RGB", (size[1], size[0]) if size else (image.width, image.height))
            rgb = image.convert("RGB")
    except ValueError:
        raise
    except Exception as error:
        raise ValueError("is not an image") from error
    if size is not None and (rgb.height, rgb.width) != size:
        rgb = _fit(rgb, size)
    return np.asarray(rgb).transpose(2, 0, 1)


def _fit(rgb, size):  # type: ignore[no-untyped-def] # PIL is imported only when an image is read
    from PIL import ImageOps

    return ImageOps.fit(rgb, (size[1], size[0]))
