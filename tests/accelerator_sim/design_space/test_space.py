"""Spaces: which points a file means, and which files are refused with what hint."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from accelerator_sim.design_space.axes import parse_axis
from accelerator_sim.design_space.constraints import Bounds
from accelerator_sim.design_space.variation import hardware_keys, machine_at
from accelerator_sim.design_space.workload import load_workload
from accelerator_sim.machine.catalog import load_accelerator
from tests.accelerator_sim.spaces import BASE, FIELDS, space_from
from workloads.support.errors import InputError

MODEL = 'model = "smollm2-135m"\nkept_fraction = 0.5\nrank = 16'


def test_load_space_grid_has_every_combination_tokens_slowest(tmp_path: Path) -> None:
    space = space_from(tmp_path)
    assert [axis.key for axis in space.axes] == ["tokens", "lines", "dense_threshold"]
    assert space.points == tuple(
        (tokens, lines, threshold)
        for tokens in (1, 4)
        for lines in (16, 32, 64)
        for threshold in (0.4, 0.6)
    )


def test_load_space_dotted_and_nested_fields_mean_the_same(tmp_path: Path) -> None:
    dotted = space_from(tmp_path, BASE + '[fields]\n"dram.efficiency" = [0.5, 1.0]\n')
    nested = space_from(tmp_path, BASE + "[fields.dram]\nefficiency = [0.5, 1.0]\n")
    assert dotted.axes == nested.axes
    assert dotted.digest == nested.digest


@pytest.mark.parametrize(
    ("kind", "spec", "expected"),
    [
        ("whole", 8, [8]),
        ("word", ["bitmap", "csr"], ["bitmap", "csr"]),
        ("whole", ["auto", 64], ["auto", 64]),
        ("whole", {"start": 16, "stop": 64, "step": 16}, [16, 32, 48, 64]),
        ("whole", {"start": 16, "stop": 60, "step": 16}, [16, 32, 48]),
        ("number", {"start": 0.1, "stop": 0.5, "step": 0.1}, [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("whole", {"start": 1, "stop": 1000, "count": 4, "scale": "log"}, [1, 10, 100, 1000]),
        ("number", {"start": 0.0, "stop": 1.0, "count": 3}, [0.0, 0.5, 1.0]),
        ("whole", {"start": 1, "stop": 3, "count": 9}, [1, 2, 3]),
        ("number", {"start": 0.1, "stop": 0.3, "count": 4}, [0.1, 0.1667, 0.2333, 0.3]),
    ],
)
def test_parse_axis_lists_and_ranges_have_these_values(
    kind: str, spec: object, expected: list[object]
) -> None:
    axis = parse_axis("x", kind, spec=spec, where="file: x")  # type: ignore[arg-type]
    assert list(axis.values) == expected
    assert [type(value) for value in axis.values] == [type(value) for value in expected]


def test_load_space_sobol_is_seeded_in_range_and_spread(tmp_path: Path) -> None:
    text = BASE + (
        '[sampling]\nmethod = "sobol"\npoints = 100\nseed = {seed}\n[fields]\n'
        '"dram.bytes_per_second" = {{ start = 1e9, stop = 1e12, scale = "log" }}\n'
        "dense_threshold = {{ start = 0.0, stop = 1.0 }}\n"
        "lines = [16, 32, 64]\n"
    )
    first, again, other = (
        space_from(tmp_path, text.format(seed=seed)).points for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other
    tokens, bandwidth, threshold, lines = zip(*first, strict=True)
    assert all(type(value) is int and 10**9 <= value <= 10**12 for value in bandwidth)
    decades = np.histogram(np.log10(np.array(bandwidth, float)), [9, 10, 11, 12.01])[0]
    assert decades.min() >= 25
    assert 0 <= min(threshold) < 0.05
    assert 0.95 < max(threshold) <= 1
    assert {lines.count(value) for value in (16, 32, 64)} <= set(range(28, 40))
    assert 45 <= tokens.count(1) <= 55
    for point in first:
        machine_at(load_accelerator("array-64x64"), ("tokens", *KEYS), point=point)


KEYS = ("dram.bytes_per_second", "dense_threshold", "lines")


def test_load_space_sobol_of_few_values_keeps_each_point_once(tmp_path: Path) -> None:
    sampled = space_from(tmp_path, BASE + '[sampling]\nmethod = "sobol"\npoints = 200\n' + FIELDS)
    assert len(sampled.points) == 12
    assert set(sampled.points) == set(space_from(tmp_path).points)


def test_machine_at_point_equals_the_machine_with_those_settings(tmp_path: Path) -> None:
    space = space_from(tmp_path, BASE + "[fields]\nlines = [8]\ndram.channels = [2]\n")
    machine = machine_at(space.accelerator, ("tokens", "lines", "dram.channels"), point=(1, 8, 2))
    assert machine == load_accelerator("array-64x64", {"lines": 8, "dram.channels": 2})


def test_hardware_keys_are_all_fields_but_the_name() -> None:
    keys = hardware_keys()
    machine = load_accelerator("array-64x64")
    for field in dataclasses.fields(machine):
        value = getattr(machine, field.name)
        inner = dataclasses.fields(value) if dataclasses.is_dataclass(value) else ()
        for key in [f"{field.name}.{part.name}" for part in inner] or [field.name]:
            assert (key in keys) == (key != "name")
    assert keys["lines"] == "whole"
    assert keys["dram.efficiency"] == "number"
    assert keys["index.format"] == keys["loop_order"] == "word"
    assert keys["index.run_bits"] == "whole"


def test_load_workload_model_has_its_shape_budget_and_rank(tmp_path: Path) -> None:
    block = load_workload(space_from(tmp_path).workload)
    query = block[0]
    assert [item.gemm.name for item in block][::6] == ["q_proj", "down_proj"]
    assert (query.gemm.m, query.gemm.n, query.rank) == (576, 576, 16)
    assert query.mask.nnz == 576 * 576 // 2 - 16 * 1152
    assert load_workload(space_from(tmp_path).workload) is block


def test_space_digest_changes_with_what_decides_results_only(tmp_path: Path) -> None:
    def digest(old: str = "", new: str = "") -> str:
        return space_from(tmp_path, (BASE + FIELDS).replace(old, new) if old else text).digest

    text = BASE + FIELDS
    same = ("[16, 32, 64]", "{ start = 16, stop = 64, count = 3, scale = 'log' }")
    assert digest(*same) == digest()
    reworded = space_from(tmp_path, 'objectives = ["cycles"]\n# a remark\n' + text)
    assert reworded.digest == digest()
    changed = [
        space_from(tmp_path, 'objectives = ["speedup"]\n' + text).digest,
        digest("array-64x64", "vitcod"),
        digest('"published"', '"roofline"'),
        digest("rank = 16", "rank = 8"),
        digest("rank = 16", "rank = 16\nseed = 1"),
        digest("[16, 32, 64]", "[16, 32, 65]"),
        digest("[1, 4]", "[1, 5]"),
        digest("batch_points = 3", "batch_points = 4"),
        digest("kept_fraction = 0.5", "kept_fraction = 0.6"),
    ]
    assert len({digest(), *changed}) == 10


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lines =", "lins =", r"\[fields\]: unknown hardware key 'lins': did you mean lines"),
        ("lines =", "dram.speed =", "unknown hardware key 'dram.speed'"),
        ("lines =", "name =", "unknown hardware key 'name'"),
        ("[16, 32, 64]", "[]", r"\[fields\]: lines: the list is empty"),
        ("[16, 32, 64]", "[16, 16]", "lines: a value stands twice"),
        ("[16, 32, 64]", f"[{2**63}]", "lines: whole numbers go up to"),
        ("[16, 32, 64]", "[64, 64.0]", "a value stands twice"),
        ("[16, 32, 64]", f"[64, {2**21}]", "lines = 2097152: .* from 1 to 1048576"),
        ("[16, 32, 64]", "{ start = 1, stop = 1e30, count = 3 }", "start and stop go up to"),
        ("[16, 32, 64]", "[[16]]", "lines: values are numbers or words"),
        ("[16, 32, 64]", "[16, 0]", "lines = 0: .*lines must be a whole number from 1 to"),
        ("[16, 32, 64]", '["many"]', "lines = 'many': .*lines must be int"),
        ("[16, 32, 64]", "{ start = 16, stop = 64 }", "lines: a range in a grid needs a step or"),
        ("[16, 32, 64]", "{ start = 16, end = 64 }", "unknown key 'end'"),
        ("[16, 32, 64]", "{ start = 16 }", "key 'stop' is missing"),
        ("[16, 32, 64]", "{ start = 64, stop = 16, step = 1 }", "start must be less than stop"),
        ("[16, 32, 64]", "{ start = 1, stop = 4, step = 0 }", "step must be a number above 0"),
        ("[16, 32, 64]", "{ start = 1, stop = 4, step = 0.5 }", "takes whole numbers"),
        ("[16, 32, 64]", "{ start = 1, stop = 4, count = 1 }", "count must be from 2"),
        ("[16, 32, 64]", "{ start = 1, stop = 4, count = 2, step = 1 }", "not both"),
        ("[16, 32, 64]", "{ start = 0, stop = 4, count = 2, scale = 'log' }", "start above 0"),
        ("[16, 32, 64]", "{ start = 1, stop = 4, scale = 'sqrt' }", "scale must be linear or log"),
        ("[16, 32, 64]", "{ start = 1, stop = 1e9, step = 1 }", "more than 1000000 values"),
        ("lines = [", "dataflow = { start = 1, stop = 2, count = 2 }\n#", "takes words, not a"),
        (
            "lines = [",
            'index.format = ["bitmap", "4:2"]\n#',
            r"index.format = '4:2': .*N:M such as",
        ),
        ("lines = [", "index.run_bits = [4, 17]\n#", "run_bits = 17: .*from 1 to 16, got 17"),
        (
            "lines = [",
            'loop_order = ["input"]\n#',
            "loop_order = 'input': .*one of output_stationary",
        ),
        ("[0.4, 0.6]", "[1.5]", r"dense_threshold = 1.5: .*must be in \[0, 1\]"),
        ("[1, 4]", "[0]", "tokens must be whole numbers from 1 to 1048576, got 0"),
        ("[1, 4]", "[1.5]", "tokens must be whole numbers from 1 to 1048576, got 1.5"),
        ("published", "publisht", "cycle_model must be one of published, roofline, event"),
        ("array-64x64", "array", "unknown accelerator 'array': did you mean array-64x64"),
        ('"array-64x64"', "3", "accelerator must be a preset's name or a TOML file"),
        ('"array-64x64"', '"mine.toml"', "mine.toml"),
        ("smollm2-135m", "smollm", "unknown model 'smollm': did you mean smollm2-135m"),
        ('model = "smollm2-135m"', "", "give either model or artifact"),
        ('model = "smollm2-135m"', 'artifact = "nowhere"', "rank does not belong to artifact"),
        (MODEL, 'artifact = "nowhere"', "nowhere: not an artifact"),
        (MODEL, 'checkpoint = "nowhere"', "nowhere: .*no .*safetensors"),
        (MODEL, 'mask = "nowhere.npy"', "nowhere.npy"),
        (MODEL, 'mask = "m.npy"\nblocks = 2', "blocks does not belong to mask"),
        (MODEL, 'model = "nowhere.toml"', "nowhere.toml"),
        ('model = "smollm2-135m"', 'model = "llama2-7b"\nmask = "m.npy"', "got model and mask"),
        ("tokens =", "context = 0\ntokens =", "context must be whole numbers from 1"),
        ("tokens = [1, 4]", "tokens = 4\ncontext = [2, 8]", "context = 2: must be at least tokens"),
        ("tokens =", "batch = 0\ntokens =", "batch must be whole numbers from 1"),
        ("tokens =", "tolerance = 1\ntokens =", "tolerance must be a share from 0 to below 1"),
        ("kept_fraction = 0.5", "kept_fraction = 50", r"kept_fraction must lie in \[0, 1\]"),
        ("rank = 16", "ranks = 16", "unknown key 'ranks': did you mean rank"),
        ("batch_points = 3", "batch_points = 0", "batch_points must be from 1 to"),
        ("tokens =", "token =", "unknown key 'token': did you mean tokens"),
        ("tokens =", 'costs = "7nm"\ntokens =', "unknown cost table '7nm'"),
        ("tokens =", "costs = 7\ntokens =", "costs must be a cost table's name or a TOML file"),
        ("tokens =", 'objectives = ["speed"]\ntokens =', "unknown objective 'speed'"),
        ("tokens =", 'objectives = ["dram_bytes"]\ntokens =', "the published model does not count"),
        ("[fields]", '[sampling]\nmethod = "random"\n[fields]', "method must be grid or sobol"),
        ("[fields]", '[sampling]\nmethod = "sobol"\n[fields]', "points must be from 1"),
        ("[fields]", "[sampling]\npoints = 4\n[fields]", "belong to method sobol"),
    ],
)
def test_load_space_bad_field_is_named_with_what_is_allowed(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = BASE + FIELDS
    assert old in text
    with pytest.raises(InputError, match=message):
        space_from(tmp_path, text.replace(old, new))


def test_load_space_value_that_fits_with_others_only_is_accepted(tmp_path: Path) -> None:
    """96 denser lines are too many for the base machine, but not at 128 lines."""
    space = space_from(tmp_path, BASE + "[fields]\nlines = [64, 128]\ndenser_lines = [32, 96]\n")
    assert len(space.points) == 8


def test_load_space_too_many_points_are_refused(tmp_path: Path) -> None:
    text = (
        BASE
        + "[fields]\n"
        + "".join(
            f"{key} = {{ start = 1, stop = 1000, step = 1 }}\n"
            for key in ("lines", "macs_per_line")
        )
    )
    with pytest.raises(InputError, match="the grid has 2000000 points, more than 1000000"):
        space_from(tmp_path, text)


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (1, "[smapling]\n", "unknown key 'smapling': did you mean sampling"),
        (2, "[sampling]\nmethd = 'grid'\n", "[sampling]: unknown key 'methd': did you mean method"),
        (3, "[fields]\nlines = 8\nline = 8\n", "[fields]: unknown hardware key 'line': did you"),
        (2, "[fields]\ndram.speed = [1,\n2]\n", "[fields]: unknown hardware key 'dram.speed'"),
        (3, "\n[fields.dram]\nspeed = 1\n", "[fields]: unknown hardware key 'dram.speed'"),
        (2, "[fields]\nlines = { start = 1, stpo = 2 }\n", "[fields]: lines: unknown key 'stpo'"),
    ],
)
def test_load_space_bad_key_names_its_line(
    tmp_path: Path, line: int, text: str, message: str
) -> None:
    """Counted from the end of a good space."""
    with pytest.raises(InputError) as error:
        space_from(tmp_path, BASE + text)
    at = line + BASE.count("\n")
    assert str(error.value).startswith(f"{tmp_path / 'space.toml'}:{at}: {message}")


def test_load_space_whole_numbers_may_be_written_as_powers_of_ten(tmp_path: Path) -> None:
    fields = "[fields]\ndram.bytes_per_second = [6.4e9, 12.8e9]\nclock_hz = 1e9\n"
    space = space_from(tmp_path, BASE + fields)
    assert space.points[0] == (1, 6_400_000_000, 1_000_000_000)
    keys = tuple(axis.key for axis in space.axes)
    machine = machine_at(space.accelerator, keys, point=space.points[1])
    assert machine.dram.bytes_per_second == 12_800_000_000


def test_load_space_axes_of_the_work_stand_in_front_and_change_no_machine(tmp_path: Path) -> None:
    work = "context = [64, 128]\nbatch = 2\n"
    space = space_from(tmp_path, work + BASE + '[fields]\ntile.rows = ["auto", 64]\n')
    assert space.work_axes == ("tokens", "batch", "context")
    assert len(space.points) == 2 * 2 * 2
    keys = tuple(axis.key for axis in space.axes)
    auto, given = (machine_at(space.accelerator, keys, point=point) for point in space.points[:2])
    assert auto == space.accelerator
    assert given.tile.rows == 64


def test_load_space_shape_of_the_users_own_is_read_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\nhidden = 64\nintermediate = 96\nheads = 4\nkv_heads = 2\n'
        "head_dim = 16\nblocks = 2\n"
    )
    text = BASE.replace("smollm2-135m", "mine.toml").replace("rank = 16", "rank = 4")
    space = space_from(tmp_path, text + FIELDS)
    assert [item.gemm.m for item in load_workload(space.workload)] == [64, 32, 32, 64, 96, 96, 64]


def test_load_space_mask_has_no_heads_for_a_context(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.eye(8))
    text = BASE.replace(MODEL, 'mask = "m.npy"\nrank = 1') + FIELDS
    assert load_workload(space_from(tmp_path, text).workload)[0].mask.nnz == 8
    with pytest.raises(InputError, match="a mask does not tell the heads"):
        space_from(tmp_path, "context = 8\n" + text)


@pytest.mark.parametrize("varied", ['["ddr4", "dr4"]', '"dr4"'])
def test_load_space_technology_without_energy_is_refused_where_energy_counts(
    tmp_path: Path, varied: str
) -> None:
    fields = f"[fields]\ndram.technology = {varied}\n"
    assert len(space_from(tmp_path, BASE + fields).points)
    with pytest.raises(InputError, match="unknown technology 'dr4': did you mean ddr4"):
        space_from(tmp_path, BASE.replace("published", "compiled") + fields)


def test_load_space_constraints_are_bounds_of_measured_objectives(tmp_path: Path) -> None:
    text = BASE + "[constraints]\narea_mm2 = { most = 3 }\ncycles = { least = 1, most = 1e9 }\n"
    space = space_from(tmp_path, text)
    assert space.constraints == {"area_mm2": Bounds(most=3), "cycles": Bounds(1, 1e9)}
    assert space.digest == space_from(tmp_path, BASE).digest


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("area = { most = 3 }", "unknown objective 'area': did you mean area_mm2"),
        (
            "speedup = { least = 1.5 }",
            "speedup is not measured at every point; name it in objectives",
        ),
        ("energy_pj = { most = 1 }", "energy_pj is not measured at every point"),
        ("area_mm2 = 3", r"area_mm2 takes bounds such as { most = 3.0 }, got 3"),
        ("area_mm2 = {}", "give least, most, or both"),
        ("area_mm2 = { least = 3, most = 2 }", "least = 3 is above most = 2"),
        ("area_mm2 = { most = 'a' }", "most must be a number, got 'a'"),
        ("area_mm2 = { max = 3 }", "max"),
    ],
)
def test_load_space_wrong_constraint_is_refused(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        space_from(tmp_path, BASE + "[constraints]\n" + line + "\n")
