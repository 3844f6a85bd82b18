"""The artifact on disk: what is written is read back, and nothing broken is accepted."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from workloads.artifact.read import CompressedTensors, ProjectionRecord, Settings, open_artifact
from workloads.artifact.write import ArtifactWriter, start_artifact
from workloads.masks.synthetic import iid_mask
from workloads.support.errors import InputError, InputWarning

HASH = "0" * 64
SETTINGS = Settings(
    base_model={"name": "tiny", "architecture": "llama", "sha256": HASH},
    method={"name": "wanda", "settings": {"kept_fraction": 0.5}},
    calibration={"source": "x", "sha256": HASH, "windows": 1, "window_tokens": 2, "seed": 0},
    dtype="F32",
)
RECORD = ProjectionRecord("self_attn.q_proj", "MHA", 6, 11, 2, 0.5, 20, False, 0.1)


def _tensors(seed: int) -> CompressedTensors:
    random = np.random.default_rng(seed)
    values, u, v = (random.random(size, dtype=np.float32) for size in [(20,), (6, 2), (11, 2)])
    return CompressedTensors(iid_mask(6, 11, 20, seed), values, u, v)


def write_blocks(target: Path, blocks: int = 2) -> ArtifactWriter:
    """An artifact under construction, with its first blocks."""
    writer = start_artifact(target, SETTINGS, resume=False, overwrite=False)
    for index in range(blocks):
        writer.write_block((RECORD,), {RECORD.name: _tensors(index)})
    return writer


def small_artifact(folder: Path) -> Path:
    """An artifact of two blocks with one projection each."""
    (folder / "config.json").write_text("{}")
    writer = write_blocks(folder / "a")
    writer.finish(
        {"norm": np.ones(3, dtype=np.float32)},
        {"config.json": (folder / "config.json").read_bytes()},
    )
    return folder / "a"


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return small_artifact(tmp_path)


def test_open_artifact_reads_back_what_was_written(artifact: Path) -> None:
    opened = open_artifact(artifact)
    opened.verify()
    for index, projection in opened.projections(tokens=3):
        expected = _tensors(index)
        assert (projection.mask.bits == expected.mask.bits).all()
        assert (projection.rank, projection.gemm.tokens) == (2, 3)
        read = opened.read(index, RECORD.name)
        for part in ("values", "u", "v"):
            assert (getattr(read, part) == getattr(expected, part)).all()


def test_artifact_public_libraries_alone_recount_nonzeros_and_rank(artifact: Path) -> None:
    stored = load_file(artifact / "blocks" / "000.safetensors")
    manifest = json.loads((artifact / "manifest.json").read_text())
    entry = manifest["blocks"][0]["projections"][0]
    bits = np.unpackbits(stored["self_attn.q_proj.mask"], axis=1, bitorder="little")
    assert bits.sum() == len(stored["self_attn.q_proj.values"]) == entry["nonzeros"] == 20
    assert stored["self_attn.q_proj.u"].shape == (6, entry["rank"])


def test_projections_masks_are_memory_mapped(artifact: Path) -> None:
    _, projection = next(open_artifact(artifact).projections())
    base: Any = projection.mask.bits
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


def _edit(path: Path, change) -> None:  # type: ignore[no-untyped-def]
    manifest = json.loads((path / "manifest.json").read_text())
    change(manifest)
    manifest.pop("sha256", None)
    (path / "manifest.json").write_text(json.dumps(manifest))


def _edit_block(path: Path, name: str, array: Any) -> None:
    file = path / "blocks" / "000.safetensors"
    tensors = load_file(file)
    full = f"self_attn.q_proj.{name}"
    if array is None:
        del tensors[full]
    else:
        tensors[full] = array
    save_file(tensors, file)
    if array is not None:
        digest = hashlib.sha256(array.tobytes()).hexdigest()
        _edit(path, lambda manifest: manifest["blocks"][0]["tensors"].update({full: digest}))


def _truncate(path: Path) -> None:
    file = path / "blocks" / "001.safetensors"
    file.write_bytes(file.read_bytes()[:-10])


def _twice(manifest: Any) -> None:
    manifest["blocks"][0]["projections"] *= 2
    block, other = (len(block["projections"]) for block in manifest["blocks"])
    counts = manifest["totals"]
    manifest["totals"] = {k: v // 2 * (block + other) for k, v in counts.items()}


def _projection(manifest: Any) -> Any:
    return manifest["blocks"][0]["projections"][0]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_truncate, r"001\.safetensors"),
        (lambda p: (p / "blocks" / "000.safetensors").unlink(), r"000\.safetensors"),
        (lambda p: (p / "rest.safetensors").unlink(), r"rest\.safetensors"),
        (lambda p: (p / "config.json").unlink(), r"config\.json: missing"),
        (lambda p: (p / "manifest.json").write_text("{"), r"manifest\.json"),
        (lambda p: (p / "manifest.json").write_text("[1]"), "not an artifact's manifest"),
        (lambda p: _edit(p, lambda m: m.update(version=9)), "version 9 is not supported"),
        (lambda p: _edit(p, lambda m: m.update(extra=1)), "extra"),
        (lambda p: _edit(p, lambda m: m.pop("dtype")), "dtype"),
        (lambda p: _edit(p, lambda m: m["rest"].update(file="../x")), "rest"),
        (lambda p: _edit(p, lambda m: m["totals"].update(nonzeros=1)), "totals"),
        (lambda p: _edit(p, lambda m: _projection(m).update(rank=-1)), "rank"),
        (lambda p: _edit(p, lambda m: _projection(m).update(m=True)), "m: True is not of type"),
        (lambda p: _edit(p, lambda m: m["blocks"].reverse()), r"block 0 must be blocks/000"),
        (lambda p: _edit(p, lambda m: m["blocks"][1]["tensors"].popitem()), "not in both"),
        (lambda p: _edit(p, lambda m: m["rest"]["tensors"].update(x=HASH)), "'x' is not in both"),
        (lambda p: _edit(p, lambda m: m.update(version=True)), "version True is not supported"),
        (lambda p: _edit(p, _twice), "block 0 has a projection twice"),
        (lambda p: _edit(p, lambda m: m["blocks"][0].update(file="/etc/passwd")), "file"),
        (lambda p: _edit_block(p, "u", None), "u' is missing"),
        (lambda p: _edit_block(p, "u", np.zeros((5, 2), np.float32)), r"\[5, 2\]"),
        (lambda p: _edit_block(p, "v", np.zeros((11, 2), np.float16)), "F16"),
    ],
)
def test_open_artifact_damaged_names_file_and_field(artifact: Path, damage, message: str) -> None:  # type: ignore[no-untyped-def]
    damage(artifact)
    with pytest.raises(InputError, match=message):
        open_artifact(artifact)


def test_read_wrong_popcount_raises(artifact: Path) -> None:
    _edit_block(artifact, "mask", np.zeros((6, 2), np.uint8))
    with pytest.raises(InputError, match="0 bits set"):
        list(open_artifact(artifact).projections())


def test_read_bits_past_last_column_raises(artifact: Path) -> None:
    bits = iid_mask(6, 11, 19, 0).bits.copy()
    bits[0, 1] |= 0x80
    _edit_block(artifact, "mask", bits)
    with pytest.raises(InputError, match="past column 11"):
        list(open_artifact(artifact).projections())


def test_read_nan_value_raises(artifact: Path) -> None:
    _edit_block(artifact, "values", np.full(20, np.nan, np.float32))
    with pytest.raises(InputError, match="values holds values that are not finite"):
        open_artifact(artifact).read(0, RECORD.name)


PARTS = ("mask", "values", "u", "v")


@pytest.mark.parametrize("part", PARTS)
def test_read_one_flipped_bit_of_any_tensor_names_it(artifact: Path, part: str) -> None:
    """Bits that keep the popcount, and values that stay finite, are seen by their hash alone."""
    file = artifact / "blocks" / "001.safetensors"
    tensor = load_file(file)[f"self_attn.q_proj.{part}"]
    data = file.read_bytes()
    at = data.index(tensor.tobytes())
    changed = tensor.copy()
    if part == "mask":
        changed[0], changed[1] = tensor[1], tensor[0]
    else:
        changed.view(np.uint32).flat[0] ^= 1
    file.write_bytes(data[:at] + changed.tobytes() + data[at + tensor.nbytes :])
    opened = open_artifact(artifact)
    with pytest.raises(InputError, match=rf"001\.safetensors.*q_proj\.{part}' is damaged"):
        opened.read(1, RECORD.name)
    with pytest.raises(InputError, match=rf"q_proj\.{part}' is damaged"):
        opened.verify()
    if part == "mask":
        with pytest.raises(InputError, match="damaged"):
            list(opened.projections())
    else:
        assert len(list(opened.projections())) == 2


@pytest.mark.parametrize("file", ["rest.safetensors", "config.json", "blocks/000.safetensors"])
def test_verify_any_flipped_bit_names_the_file(artifact: Path, file: str) -> None:
    data = bytearray((artifact / file).read_bytes())
    for at in range(len(data)):
        data[at] ^= 4
        (artifact / file).write_bytes(bytes(data))
        with pytest.raises(InputError, match=file):
            open_artifact(artifact).verify()
        data[at] ^= 4
    (artifact / file).write_bytes(bytes(data))
    open_artifact(artifact).verify()


def _to_version_1(manifest: Any) -> None:
    manifest["version"] = 1
    for entry in (*manifest["blocks"], manifest["rest"]):
        del entry["tensors"]


def test_open_artifact_version_1_is_read_with_a_remark(artifact: Path) -> None:
    expected = [projection.mask.nnz for _, projection in open_artifact(artifact).projections()]
    _edit(artifact, _to_version_1)
    with pytest.warns(InputWarning, match="version 1, without hashes of its tensors"):
        opened = open_artifact(artifact)
    opened.verify()
    assert [projection.mask.nnz for _, projection in opened.projections()] == expected


def test_open_artifact_an_edited_manifest_is_seen(artifact: Path) -> None:
    path = artifact / "manifest.json"
    text = path.read_text()
    path.write_text(text.replace('"kept_fraction": 0.5', '"kept_fraction": 0.6'))
    with pytest.raises(InputError, match=r"manifest\.json: is damaged, or was edited"):
        open_artifact(artifact)
    path.write_text(text.replace("\n", " \r\n"))
    open_artifact(artifact).verify()


def test_open_artifact_whole_floats_are_counts(artifact: Path) -> None:
    _edit(artifact, lambda m: _projection(m).update(m=6.0, rank=2.0))
    record = open_artifact(artifact).blocks[0].projections[0]
    assert (type(record.m), type(record.rank)) == (int, int)


def test_start_artifact_finished_needs_overwrite(artifact: Path) -> None:
    with pytest.raises(InputError, match="--overwrite"):
        start_artifact(artifact, SETTINGS, resume=False, overwrite=False)


def test_start_artifact_foreign_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match="left alone"):
        start_artifact(tmp_path / "mine", SETTINGS, resume=False, overwrite=True)


def test_start_artifact_interrupted_needs_a_word(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a", blocks=1)
    with pytest.raises(InputError, match="--resume"):
        start_artifact(tmp_path / "a", SETTINGS, resume=False, overwrite=False)


def test_start_artifact_interrupted_before_its_first_block_is_in_nobodys_way(
    tmp_path: Path,
) -> None:
    write_blocks(tmp_path / "a", blocks=0)
    assert write_blocks(tmp_path / "a", blocks=1).blocks[0].projections == (RECORD,)


def test_start_artifact_resume_keeps_intact_blocks_only(tmp_path: Path) -> None:
    writer = write_blocks(tmp_path / "a", blocks=3)
    (writer.partial / "blocks" / "001.safetensors").write_bytes(b"torn")
    resumed = start_artifact(tmp_path / "a", SETTINGS, resume=True, overwrite=False)
    assert [block.file for block in resumed.blocks] == ["blocks/000.safetensors"]


def test_start_artifact_resume_other_settings_says_which(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a", blocks=1)
    other = Settings(SETTINGS.base_model, {"name": "sslc"}, SETTINGS.calibration, "F32")
    with pytest.raises(InputError, match="another method"):
        start_artifact(tmp_path / "a", other, resume=True, overwrite=False)
