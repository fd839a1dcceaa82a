"""Images and labels for training, by registered provider: `check` a description, `load` a dataset.

A description is plain JSON:

    {"provider": "digits", "arguments": {},
     "split": {"training": 1000, "quality": 200, "validation": 200, "test": 397, "seed": 0},
     "augment": [{"name": "random_shift", "arguments": {"pixels": 1}}],
     "normalise": {"mean": [0.3053], "std": [0.3763]}}

Reading order: description (what may be asked), registry (who provides it), source (what a provider
gives), split (which rows belong to which part), augment, dataset (batches).
"""

from donna.data.dataset import Dataset, Part, check, check_identity, load
from donna.data.description import Description
from donna.data.registry import providers

__all__ = ["Dataset", "Description", "Part", "check", "check_identity", "load", "providers"]
