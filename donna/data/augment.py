"""Augmentations by name. Each draws its own parameters for every image from a seeded generator, so the
batches of an epoch do not depend on threads, on their order or on anybody else's randomness.

The pixels are moved by numpy or by torchvision's transforms.v2 kernels; v2's own classes are not used
because they draw from torch's global generator and once for a whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from donna.errors import InvalidArgument

Array = np.ndarray
_MAX_STEPS = 16


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """`apply(images, rng, **parameters)` maps (B, C, H, W) to the same shape and dtype, in pixel values
    (uint8 or [0, 1]). `parameters` maps each name to (default, smallest, largest)."""

    apply: Callable[..., Array]
    parameters: Mapping[str, tuple[float, float, float]]


def random_horizontal_flip(images: Array, rng: np.random.Generator, *, p: float) -> Array:
    """Mirrors each image with probability p."""
    flip = rng.random(len(images)) < p
    return np.where(flip[:, None, None, None], images[..., ::-1], images)


def random_shift(images: Array, rng: np.random.Generator, *, pixels: int) -> Array:
    """Pads by `pixels` zeros on every side and crops back at a random place (He et al. 2016, CIFAR)."""
    B, _, H, W = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (pixels, pixels), (pixels, pixels)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (H, W), axis=(2, 3))
    top, left = rng.integers(0, 2 * pixels + 1, size=(2, B))
    return np.ascontiguousarray(windows[np.arange(B), :, top, left])


def random_erasing(images: Array, rng: np.random.Generator, *, p: float, share: float) -> Array:
    """Blackens one square of up to `share` of each image's area with probability p (Zhong et al. 2020)."""
    out = images.copy()
    H, W = images.shape[2:]
    for b in np.flatnonzero(rng.random(len(images)) < p):
        side = np.sqrt(rng.uniform(0.02, max(share, 0.02)))
        h, w = max(1, int(H * side)), max(1, int(W * side))
        top, left = rng.integers(0, H - h + 1), rng.integers(0, W - w + 1)
        out[b, :, top : top + h, left : left + w] = 0
    return out


def random_affine(
    images: Array, rng: np.random.Generator, *, degrees: float, translate: float, scale: float
) -> Array:
    """Rotates by up to +-degrees, shifts by up to +-translate of the size, scales by 1 +- scale."""
    from torchvision.transforms.v2 import InterpolationMode
    from torchvision.transforms.v2 import functional as F

    H, W = images.shape[2:]

    def one(image: Any) -> Any:
        angle = float(rng.uniform(-degrees, degrees))
        dx, dy = rng.uniform(-translate, translate, size=2)
        factor = float(rng.uniform(1 - scale, 1 + scale))
        return F.affine(
            image, angle, [float(dx * W), float(dy * H)], factor, [0.0], InterpolationMode.BILINEAR
        )

    return _each(images, one)


def random_resized_crop(images: Array, rng: np.random.Generator, *, smallest: float) -> Array:
    """Crops a part of [smallest, 1] of the area with an aspect of 3/4..4/3, resized back (Szegedy 2015)."""
    from torchvision.transforms.v2 import functional as F

    H, W = images.shape[2:]

    def one(image: Any) -> Any:
        area = H * W * rng.uniform(smallest, 1)
        aspect = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        h = int(np.clip(round(np.sqrt(area / aspect)), 1, H))
        w = int(np.clip(round(np.sqrt(area * aspect)), 1, W))
        top, left = int(rng.integers(0, H - h + 1)), int(rng.integers(0, W - w + 1))
        return F.resized_crop(image, top, left, h, w, [H, W], antialias=True)

    return _each(images, one)


def color_jitter(
    images: Array, rng: np.random.Generator, *, brightness: float, contrast: float, saturation: float
) -> Array:
    """Scales brightness, contrast and saturation by 1 +- each strength; needs three channels."""
    from torchvision.transforms.v2 import functional as F

    def one(image: Any) -> Any:
        b, c, s = (float(rng.uniform(1 - x, 1 + x)) for x in (brightness, contrast, saturation))
        return F.adjust_saturation(F.adjust_contrast(F.adjust_brightness(image, b), c), s)

    return _each(images, one)


def _each(images: Array, one: Callable[[Any], Any]) -> Array:
    import torch

    tensor = torch.from_numpy(np.ascontiguousarray(images))
    return torch.stack([one(image) for image in tensor]).numpy()


AUGMENTATIONS: Mapping[str, Augmentation] = {
    "color_jitter": Augmentation(
        apply=color_jitter,
        parameters={"brightness": (0.2, 0, 1), "contrast": (0.2, 0, 1), "saturation": (0.2, 0, 1)},
    ),
    "random_affine": Augmentation(
        apply=random_affine,
        parameters={"degrees": (10.0, 0, 180), "translate": (0.1, 0, 1), "scale": (0.1, 0, 0.9)},
    ),
    "random_erasing": Augmentation(
        apply=random_erasing, parameters={"p": (0.25, 0, 1), "share": (0.2, 0.02, 1)}
    ),
    "random_horizontal_flip": Augmentation(apply=random_horizontal_flip, parameters={"p": (0.5, 0, 1)}),
    "random_resized_crop": Augmentation(apply=random_resized_crop, parameters={"smallest": (0.35, 0.01, 1)}),
    "random_shift": Augmentation(apply=random_shift, parameters={"pixels": (4, 1, 64)}),
}


def parse(raw: object) -> tuple[dict[str, Any], ...]:
    """A list of {"name": ..., "arguments": {...}}, with defaults filled in. Raises InvalidArgument."""
    if not isinstance(raw, Sequence) or isinstance(raw, str) or len(raw) > _MAX_STEPS:
        raise InvalidArgument.of("dataset.augment", f"must be a list of at most {_MAX_STEPS} augmentations")
    return tuple(_step(step, f"dataset.augment[{i}]") for i, step in enumerate(raw))


def _step(step: object, field: str) -> dict[str, Any]:
    if not isinstance(step, Mapping) or set(step) - {"name", "arguments"}:
        raise InvalidArgument.of(field, f"must be {{name: ..., arguments: {{...}}}}, got {step!r}")
    name, arguments = step.get("name"), step.get("arguments") or {}
    if not isinstance(name, str) or name not in AUGMENTATIONS:
        raise InvalidArgument.of(
            f"{field}.name", f"{name!r} is not an augmentation; there are {', '.join(AUGMENTATIONS)}"
        )
    known = AUGMENTATIONS[name].parameters
    if not isinstance(arguments, Mapping):
        raise InvalidArgument.of(f"{field}.arguments", f"must be a mapping, got {arguments!r}")
    for key in arguments:
        if key not in known:
            raise InvalidArgument.of(f"{field}.arguments.{key}", f"is not known; there is {', '.join(known)}")
    values: dict[str, float] = {}
    for key, (default, low, high) in known.items():
        value = arguments.get(key, default)
        whole = isinstance(default, int)
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
        if not good or (whole and value != int(value)):
            number = "a whole number" if whole else "a number"
            raise InvalidArgument.of(
                f"{field}.arguments.{key}", f"must be {number} in {low}..{high}, got {value!r}"
            )
        values[key] = int(value) if whole else float(value)
    return {"name": name, "arguments": values}


def apply(steps: Sequence[Mapping[str, Any]], images: Array, rng: np.random.Generator) -> Array:
    """The steps in order on (B, C, H, W) images in pixel values; the input is left as it is."""
    for step in steps:
        images = AUGMENTATIONS[step["name"]].apply(images, rng, **step["arguments"])
    return images
