"""Texts of the Hugging Face hub by name, read as the pruning literature reads them.

Files are fetched through ``huggingface_hub``, which keeps them in its cache, and read with pyarrow
or as gzipped JSON lines.
"""

import gzip
import itertools
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workloads.support.errors import InputError
from workloads.support.hub_answers import hub_answers

Part = Literal["calibration", "evaluation"]


@dataclass(frozen=True)
class HubText:
    """One split of a dataset and how its documents become a text.

    Attributes:
        repository: Dataset on the hub.
        file: In it: ``.parquet`` or ``.json.gz`` (one object per line), with a column ``text``.
        split: Its name in results.
        separator: Put between documents.
        documents: Take at most so many from the start.
    """

    repository: str
    file: str
    split: str
    separator: str
    documents: int | None = None


_OFFLINE = "give a text file: --text FILE, or --calibration FILE to compress"
_WIKITEXT, _C4 = "Salesforce/wikitext", "allenai/c4"
# Splits, shards, separators and the 1,100 documents: datautils.py of IST-DASLab/sparsegpt and
# lib/data.py of locuslab/wanda, which read these datasets through the library `datasets`.
# They draw each C4 calibration window from one random document of the shard. Here windows are drawn
# from its first 5,000 documents (our assumption: ten times the tokens of 128 windows of 2,048).
HUB_TEXTS: dict[str, dict[Part, HubText]] = {
    "wikitext2": {
        "calibration": HubText(
            _WIKITEXT, "wikitext-2-raw-v1/train-00000-of-00001.parquet", "train", " "
        ),
        "evaluation": HubText(
            _WIKITEXT, "wikitext-2-raw-v1/test-00000-of-00001.parquet", "test", "\n\n"
        ),
    },
    "c4": {
        "calibration": HubText(_C4, "en/c4-train.00000-of-01024.json.gz", "train", "\n\n", 5000),
        "evaluation": HubText(
            _C4, "en/c4-validation.00000-of-00008.json.gz", "validation", " ", 1100
        ),
    },
}


def read_hub_text(name: str, part: Part) -> str:
    """A text of ``HUB_TEXTS``, from the hub or its cache.

    Args:
        name: A key of ``HUB_TEXTS``.
        part: Which of its splits.

    Raises:
        InputError: The hub cannot be reached, or its file is not what it was.
    """
    text = HUB_TEXTS[name][part]
    path = fetch(name, text.repository, text.file)
    try:
        read = _parquet if path.suffix == ".parquet" else _json_lines
        content = text.separator.join(read(path, text.documents))
    except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise InputError(f"text {name!r}: {path} cannot be read ({error})") from error
    if not content.strip():
        raise InputError(f"text {name!r}: {path} is empty")
    return content


def fetch(name: str, repository: str, file: str, offline: str = _OFFLINE) -> Path:
    """A dataset's file from the hub, or from the cache where it was left.

    Args:
        name: The text, for the error.
        repository: Dataset on the hub.
        file: In it.
        offline: What to do without the hub, for the error.

    Raises:
        InputError: The hub did not give it.
    """
    from huggingface_hub import hf_hub_download

    try:
        local = not hub_answers()
        return Path(hf_hub_download(repository, file, repo_type="dataset", local_files_only=local))
    except (OSError, ValueError) as error:
        raise InputError(
            f"text {name!r}: the hub did not give {repository} ({type(error).__name__}); "
            f"without the hub {offline}"
        ) from error


def _parquet(path: Path, most: int | None) -> list[str]:
    import pyarrow.parquet

    documents: list[str] = pyarrow.parquet.read_table(path, columns=["text"])["text"].to_pylist()
    return documents[:most]


def _json_lines(path: Path, most: int | None) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in itertools.islice(lines, most)]
