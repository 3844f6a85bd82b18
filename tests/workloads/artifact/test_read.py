"""The artifact on disk: what is written is read back, and nothing broken is accepted."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from workloads.artifact.read import Settings, open_artifact
from workloads.artifact.record import CompressedTensors, ProjectionRecord, full_mask
from workloads.artifact.storage import Storage
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
RECORD = ProjectionRecord(
    "self_attn.q_proj", "MHA", 6, 11, 2, 0.5, 20, False, 0.1, Storage.plain("F32")
)


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


NUMBERED = replace(RECORD, storage=Storage("I6", "I8", 8))


def numbered_tensors(record: ProjectionRecord = NUMBERED, seed: int = 0) -> CompressedTensors:
    """Values and factors that are whole numbers times scales of 1/8."""
    random = np.random.default_rng(seed)
    bits, eighth = record.storage.value_bits, np.float32(0.125)
    top = 2 ** (bits - 1) - 1
    sizes: list[tuple[int, tuple[int, ...]]] = [(top, (20,)), (127, (6, 2)), (127, (11, 2))]
    numbers = [random.integers(-most, most + 1, size) for most, size in sizes]
    values, u, v = (number.astype(np.float32) * eighth for number in numbers)
    scale = np.dtype(ml_dtypes.bfloat16)
    scales = {"value_scales": np.full((6, 2), 0.125, scale)}
    scales |= {name: np.full(2, 0.125, scale) for name in ("u_scales", "v_scales")}
    return CompressedTensors(iid_mask(6, 11, 20, seed), values, u, v, scales=scales)


def numbered_artifact(folder: Path, record: ProjectionRecord = NUMBERED) -> Path:
    """An artifact of one block with one projection of whole numbers."""
    writer = start_artifact(folder / "a", SETTINGS, resume=False, overwrite=False)
    writer.write_block((record,), {record.name: numbered_tensors(record)})
    writer.finish({"norm": np.ones(3, dtype=np.float32)}, {"config.json": b"{}"})
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


@pytest.mark.parametrize("values", ["I8", "I6", "I4"])
def test_numbers_are_read_back_as_they_were_written(tmp_path: Path, values: str) -> None:
    record = replace(RECORD, storage=Storage(values, "I8", 8))
    opened = open_artifact(numbered_artifact(tmp_path, record))
    opened.verify()
    read, given = opened.read(0, RECORD.name), numbered_tensors(record)
    for part in ("values", "u", "v"):
        assert (getattr(read, part) == getattr(given, part)).all()
    stored = sum(info.nbytes for info in load_raw(opened.path / "blocks/000.safetensors").values())
    assert stored == opened.blocks[0].projections[0].stored_bytes


def load_raw(file: Path) -> dict[str, NDArray[np.uint8]]:
    """Bytes of every tensor, by safetensors' own reader."""
    parts = safetensors.deserialize(file.read_bytes())  # type: ignore[no-untyped-call]
    return {name: np.frombuffer(part["data"], np.uint8) for name, part in parts}


def test_numbers_are_readable_with_safetensors_and_numpy_alone(tmp_path: Path) -> None:
    """As ``docs/model.md`` tells it: int6 in a stream of bits, scales of bf16, U and V of int8."""
    part = load_raw(numbered_artifact(tmp_path) / "blocks/000.safetensors")
    part = {name.removeprefix("self_attn.q_proj."): raw for name, raw in part.items()}
    m, n, rank, bits, group = 6, 11, 2, 6, 8

    def bf16(raw: NDArray[np.uint8]) -> NDArray[np.float32]:
        return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)

    mask = np.unpackbits(part["mask"].reshape(m, -1), axis=1, count=n, bitorder="little") > 0
    stream = np.unpackbits(part["values"], bitorder="little")[: mask.sum() * bits]
    numbers = stream.reshape(-1, bits) @ (1 << np.arange(bits))
    numbers = np.where(numbers < 2 ** (bits - 1), numbers, numbers - 2**bits)
    rows, columns = np.nonzero(mask)
    whole = np.zeros((m, n), np.float32)
    whole[mask] = numbers * bf16(part["value_scales"]).reshape(m, -1)[rows, columns // group]
    u = part["u"].view(np.int8).reshape(m, rank) * bf16(part["u_scales"])
    v = part["v"].view(np.int8).reshape(n, rank) * bf16(part["v_scales"])
    given = numbered_tensors()
    assert (whole[mask] == given.values).all()
    assert (u @ v.T == given.u @ given.v.T).all()


def test_full_projection_has_no_mask_in_its_file(tmp_path: Path) -> None:
    record = replace(RECORD, nonzeros=66, rank=0, storage=Storage("F32", "F32", mask=False))
    values = np.arange(66, dtype=np.float32)
    none = (np.zeros((6, 0), np.float32), np.zeros((11, 0), np.float32))
    writer = start_artifact(tmp_path / "a", SETTINGS, resume=False, overwrite=False)
    writer.write_block((record,), {RECORD.name: CompressedTensors(full_mask(6, 11), values, *none)})
    writer.finish({}, {"config.json": b"{}"})
    opened = open_artifact(tmp_path / "a")
    assert opened.blocks[0].projections[0].stored_bytes == 66 * 4
    (_, projection), read = next(opened.projections()), opened.read(0, RECORD.name)
    assert projection.mask.nnz == 66
    assert (read.values == values).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask": False}, "has no mask and does not keep every entry"),
        ({"scale_columns": 0}, "has I6 values with scale_columns 0"),
        ({"scale_columns": 12}, "12 is not a multiple of 8"),
        ({"values": "I5"}, "I5"),
        ({"values": "I8"}, r"is U8 \[15\], the manifest says I8 \[20\]"),
    ],
)
def test_open_artifact_other_storage_than_the_file_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = numbered_artifact(tmp_path)
    _edit(path, lambda m: _projection(m)["storage"].update(change))
    with pytest.raises(InputError, match=message):
        open_artifact(path)


@pytest.mark.parametrize("part", ["value_scales", "u_scales"])
def test_read_negative_scale_is_refused(tmp_path: Path, part: str) -> None:
    given = numbered_tensors()
    scales = {**given.scales, part: -given.scales[part]}
    writer = start_artifact(tmp_path / "a", SETTINGS, resume=False, overwrite=False)
    writer.write_block((NUMBERED,), {RECORD.name: replace(given, scales=scales)})
    writer.finish({}, {"config.json": b"{}"})
    with pytest.raises(InputError, match=f"{part} holds negative scales"):
        open_artifact(tmp_path / "a").read(0, RECORD.name)


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
    _to_version_2(manifest)
    manifest["version"] = 1
    for entry in (*manifest["blocks"], manifest["rest"]):
        del entry["tensors"]


def _to_version_2(manifest: Any) -> None:
    manifest["version"] = 2
    for entry in manifest["blocks"]:
        for projection in entry["projections"]:
            del projection["storage"]


def test_open_artifact_version_2_is_stored_in_the_artifact_s_dtype(artifact: Path) -> None:
    _edit(artifact, _to_version_2)
    opened = open_artifact(artifact)
    opened.verify()
    assert opened.blocks[0].projections == (RECORD,)


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
