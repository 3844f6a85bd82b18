"""The ends of a model: embeddings and head. Beside ``transformer``, which has what lies between."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workloads.shapes.attention import CONFIG, config_count
from workloads.support.errors import InputError
from workloads.support.files import read_json


@dataclass(frozen=True)
class Embedding:
    """Embeddings and head of a model: vocabulary x hidden each, whether they share weights or not.

    Attributes:
        vocabulary: Tokens that there are.
        hidden: Width of the residual stream.
    """

    vocabulary: int
    hidden: int

    def __post_init__(self) -> None:
        for field in ("vocabulary", "hidden"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1, got {getattr(self, field)}")


def read_embedding(directory: Path) -> Embedding:
    """Embeddings from the ``config.json`` beside a model's weights.

    Raises:
        InputError: The file or a number is missing.
    """
    path = directory / CONFIG
    if not path.is_file():
        raise InputError(f"{directory}: no {CONFIG}, which has the size of embeddings and head")
    config = read_json(path)
    if not isinstance(config, Mapping):
        raise InputError(f"{path}: not a model's configuration (an object of settings)")
    return Embedding(
        config_count(config, "vocab_size", path), config_count(config, "hidden_size", path)
    )
