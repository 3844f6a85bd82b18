"""Masks from other people's files: the zeros that are there, and clear refusals."""

import pickle
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from workloads.masks.foreign import open_pruned, read_mask, single_projection
from workloads.shapes.transformer import FUSED, PROJECTION_MODULES, SEPARATE
from workloads.support.errors import InputError

SHAPES = {"k_proj": (4, 10), "v_proj": (4, 10), "down_proj": (10, 12)}


def weights(
    block: int, dtype: Any, seed: int = 0, *, names: tuple[str, ...] = SEPARATE
) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed + block)
    made = {}
    for name in names:
        values = random.standard_normal(SHAPES.get(name, (12, 10)))
        values[random.random(values.shape) < 0.5] = 0.0
        part = "self_attn" if PROJECTION_MODULES[name] == "MHA" else "mlp"
        made[f"model.layers.{block}.{part}.{name}.weight"] = values.astype(dtype)
    return made


def save(folder: Path, *files: dict[str, np.ndarray]) -> Path:
    extra = {"model.embed_tokens.weight": np.ones((3, 10), np.float32)}
    for place, tensors in enumerate(files):
        save_file({**tensors, **(extra if place == 0 else {})}, folder / f"m-{place}.safetensors")
    return folder


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16, np.float32])
def test_open_pruned_masks_are_where_weights_are_not_zero(tmp_path: Path, dtype: Any) -> None:
    blocks = [weights(index, dtype) for index in range(2)]
    first = blocks[0]["model.layers.0.self_attn.q_proj.weight"]
    first[0, :3] = [-0.0, np.finfo(np.float32).tiny if dtype is np.float32 else 6e-8, -1]
    if dtype is ml_dtypes.bfloat16:
        first[0, 1] = ml_dtypes.finfo(dtype).smallest_subnormal  # type: ignore[no-untyped-call]
    model = open_pruned(save(tmp_path, blocks[1], blocks[0]))
    found = list(model.projections(tokens=3))
    assert [(index, item.gemm.name) for index, item in found] == [
        (index, name) for index in range(2) for name in SEPARATE
    ]
    assert found[0][1].mask.unpack()[0, :3].tolist() == [False, True, True]
    for (_, item), weight in zip(found, [*blocks[0].values(), *blocks[1].values()], strict=True):
        assert (item.mask.unpack() == (weight.astype(np.float64) != 0)).all()
        assert item.gemm.module == PROJECTION_MODULES[item.gemm.name]
        assert (item.rank, item.gemm.tokens) == (0, 3)


def test_open_pruned_fused_projections_are_the_block(tmp_path: Path) -> None:
    model = open_pruned(save(tmp_path, weights(0, np.float32, names=FUSED)))
    found = [(item.gemm.name, item.gemm.module) for _, item in model.projections()]
    assert found == [(name, PROJECTION_MODULES[name]) for name in FUSED]


def test_open_pruned_rows_beyond_one_part_are_read(tmp_path: Path) -> None:
    tall = weights(0, np.float32)
    values = np.random.default_rng(1).integers(0, 2, (1300, 9)).astype(np.float32)
    tall["model.layers.0.mlp.up_proj.weight"] = values
    masks = {p.gemm.name: p.mask for _, p in open_pruned(save(tmp_path, tall)).projections()}
    assert (masks["up_proj"].unpack() == (values != 0)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16, np.float32])
def test_open_pruned_value_that_is_not_finite_is_refused(
    tmp_path: Path, dtype: Any, value: float
) -> None:
    broken = weights(0, dtype)
    broken["model.layers.0.mlp.up_proj.weight"][5, 5] = value
    model = open_pruned(save(tmp_path, broken))
    with pytest.raises(InputError, match=r"up_proj.weight' holds values that are not finite"):
        list(model.projections())


def _without(tensors: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    return {key: value for key, value in tensors.items() if name not in key}


def _changed(name: str, value: np.ndarray) -> dict[str, np.ndarray]:
    return {key: value if name in key else old for key, old in weights(0, np.float32).items()}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "not an artifact .* and no .*safetensors"),
        ([{"a": np.ones(3)}], "no weights of blocks named as in Llama"),
        ([_without(weights(0, np.float32), "q_proj")], "block 0 has no q_proj"),
        ([weights(1, np.float32)], "block 0 of 0 to 1 is missing"),
        ([_changed("k_proj", np.ones((4, 10)))], "k_proj.* has dtype F64; weights must be BF16"),
        ([_changed("k_proj", np.ones((4, 10), np.int8))], "k_proj.* has dtype I8"),
        ([_changed("k_proj", np.ones(4, np.float32))], r"k_proj.* must be a matrix, got .*\[4\]"),
        (
            [weights(0, np.float32), weights(0, np.float32)],
            "_proj.weight' stands in m-0.safetensors too",
        ),
    ],
)
def test_open_pruned_unusable_checkpoint_is_refused(
    tmp_path: Path, files: list[dict[str, np.ndarray]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        open_pruned(save(tmp_path, *files))


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64, np.float32, ">f8"])
def test_read_mask_booleans_and_ones_are_the_places(tmp_path: Path, dtype: Any) -> None:
    mask = np.random.default_rng(0).random((700, 13)) < 0.3
    for place, order in enumerate(("C", "F")):
        path = tmp_path / f"{place}.npy"
        np.save(path, np.asarray(mask.astype(dtype), order=order))  # type: ignore[call-overload]
        assert (read_mask(path).unpack() == mask).all()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[0, 2], [1, 0]]), "row 0, column 1 is 2"),
        (np.vstack([np.zeros((600, 2)), [[0, -1]]]), "row 600, column 1 is -1"),
        (np.array([[np.nan, 1.0]]), "row 0, column 0 is nan"),
        (np.ones(4, bool), r"two dimensions, got shape \(4,\)"),
        (np.ones((2, 2, 2), bool), "two dimensions"),
        (np.ones((0, 4), bool), "two dimensions, got shape"),
        (np.array([["a", "b"]]), "a mask is bool, or numbers 0 and 1, got dtype"),
        (np.ones((2, 2), complex), "got dtype '<c16'"),
    ],
)
def test_read_mask_other_arrays_are_refused(
    tmp_path: Path, array: np.ndarray, message: str
) -> None:
    np.save(tmp_path / "m.npy", array)
    with pytest.raises(InputError, match=message):
        read_mask(tmp_path / "m.npy")


class _Trap:
    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, ("trapped", "w")


def test_read_mask_pickles_are_never_loaded(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "object.npy", np.array([[_Trap()]], dtype=object))
    (tmp_path / "bare.npy").write_bytes(pickle.dumps(_Trap()))
    for name in ("object.npy", "bare.npy"):
        with pytest.raises(InputError, match=name):
            read_mask(tmp_path / name)
    assert not (tmp_path / "trapped").exists()


def test_read_mask_other_files_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "several.npz", a=np.ones((2, 2)))
    np.save(tmp_path / "whole.npy", np.ones((50, 50)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "whole.npy").read_bytes()[:300])
    (tmp_path / "empty.npy").touch()
    (tmp_path / "text.npy").write_text("0 1 0")
    for name in ("several.npz", "cut.npy", "empty.npy", "text.npy", "nothere.npy"):
        with pytest.raises(InputError, match=name):
            read_mask(tmp_path / name)


def test_open_pruned_matrix_of_zeros_has_no_work(tmp_path: Path) -> None:
    empty = _changed("k_proj", np.zeros((4, 10), np.float32))
    items = [item for _, item in open_pruned(save(tmp_path, empty)).projections()]
    assert {item.gemm.name for item in items if not item.has_work} == {"k_proj"}


def test_single_projection_without_entries_has_work_by_its_rank(tmp_path: Path) -> None:
    np.save(tmp_path / "none.npy", np.zeros((6, 9), bool))
    ranks = {0: False, 2: True}
    for rank, has_work in ranks.items():
        assert single_projection(tmp_path / "none.npy", rank, 1, "FFN").has_work is has_work


def test_single_projection_is_named_after_the_file(tmp_path: Path) -> None:
    np.save(tmp_path / "layer3.npy", np.eye(6, 9, dtype=bool))
    item = single_projection(tmp_path / "layer3.npy", 6, 2, "FFN")
    assert (item.gemm.name, item.gemm.module, item.gemm.tokens) == ("layer3", "FFN", 2)
    assert (item.gemm.m, item.gemm.n, item.rank, item.mask.nnz) == (6, 9, 6, 6)
    with pytest.raises(InputError, match="rank must be from 0 to 6"):
        single_projection(tmp_path / "layer3.npy", 7, 1, "FFN")
    with pytest.raises(InputError, match="unknown module 'MLP'"):
        single_projection(tmp_path / "layer3.npy", 0, 1, "MLP")
