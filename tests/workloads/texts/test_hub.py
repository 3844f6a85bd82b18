"""Texts of the hub: real readers over files that stand in for what the hub would give."""

import gzip
import json
from pathlib import Path

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet
import pytest

from workloads.support.errors import InputError
from workloads.texts.windows import load_text

DOCUMENTS = [f"document {number}\n" for number in range(1200)]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder per dataset where ``hf_hub_download`` finds its files."""

    def download(repository: str, file: str, *, repo_type: str, local_files_only: bool) -> str:
        assert repo_type == "dataset"
        assert local_files_only
        return str(tmp_path / repository / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    return tmp_path


def _write_parquet(path: Path, documents: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pa.table({"text": documents}), path)


def _write_json_lines(path: Path, documents: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps({"text": text, "url": "u"}) + "\n" for text in documents)


def test_wikitext2_is_joined_as_the_pruning_scripts_do(hub: Path) -> None:
    folder = hub / "Salesforce/wikitext/wikitext-2-raw-v1"
    _write_parquet(folder / "test-00000-of-00001.parquet", ["", " = Title = \n", " text \n"])
    _write_parquet(folder / "train-00000-of-00001.parquet", ["a", "b"])
    text = load_text("wikitext2", "evaluation")
    assert (text.source, text.content) == ("wikitext2:test", "\n\n = Title = \n\n\n text \n")
    text = load_text("wikitext2", "calibration")
    assert (text.source, text.content) == ("wikitext2:train", "a b")


def test_c4_evaluation_is_the_first_1100_documents(hub: Path) -> None:
    _write_json_lines(hub / "allenai/c4/en/c4-validation.00000-of-00008.json.gz", DOCUMENTS)
    text = load_text("c4", "evaluation")
    assert (text.source, text.content) == ("c4:validation", " ".join(DOCUMENTS[:1100]))


def test_c4_calibration_is_the_first_training_shard(hub: Path) -> None:
    _write_json_lines(hub / "allenai/c4/en/c4-train.00000-of-01024.json.gz", DOCUMENTS * 5)
    text = load_text("c4", "calibration")
    assert text.source == "c4:train"
    assert text.content == "\n\n".join((DOCUMENTS * 5)[:5000])


@pytest.mark.parametrize("name", ["wikitext2", "c4"])
def test_hub_unreachable_names_the_offline_route(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=rf"{name}.*--text FILE"):
        load_text(name, "evaluation")


@pytest.mark.parametrize("content", [b"", b"no parquet", b"\x1f\x8b broken"])
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("wikitext2", "Salesforce/wikitext/wikitext-2-raw-v1/test-00000-of-00001.parquet"),
        ("c4", "allenai/c4/en/c4-validation.00000-of-00008.json.gz"),
    ],
)
def test_hub_broken_file_is_named(hub: Path, name: str, file: str, content: bytes) -> None:
    (hub / file).parent.mkdir(parents=True)
    (hub / file).write_bytes(content)
    with pytest.raises(InputError, match=Path(file).name):
        load_text(name, "evaluation")
