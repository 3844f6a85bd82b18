"""Spaces with [compression]: what they mean, and what is refused before anything is made."""

from importlib import resources
from pathlib import Path

import pytest

from accelerator_sim.design_space.space import load_space
from reports.codesign.compression_points import stored_width
from reports.codesign.joint_space import JointSpace, load_joint_space
from workloads.support.errors import InputError

HEAD = 'accelerator = "array-64x64"\ncycle_model = "published"\n'
SPACE = f"""{HEAD}
[compression]
model = "smollm2-135m"
method = ["wanda", "sslc"]
kept_fraction = [0.4, 0.5]

[compression.sslc]
rank_share = [0.05, 0.1]

[fields]
lines = [16, 64]
"""


def _read(folder: Path, text: str) -> JointSpace:
    path = folder / "space.toml"
    path.write_text(text, encoding="utf-8")
    return load_joint_space(path)


def test_joint_space_gives_a_setting_of_one_method_to_it_alone(tmp_path: Path) -> None:
    points = _read(tmp_path, SPACE).compressions.points
    found = [(p.method, p.at("kept_fraction"), p.at("rank_share")) for p in points]
    assert found == [
        ("wanda", 0.4, None), ("wanda", 0.5, None), ("sslc", 0.4, 0.05), ("sslc", 0.4, 0.1),
        ("sslc", 0.5, 0.05), ("sslc", 0.5, 0.1),
    ]  # fmt: skip


def test_shipped_example_has_six_models_on_four_machines() -> None:
    with resources.as_file(
        resources.files("reports.examples") / "spaces" / "co-design.toml"
    ) as path:
        space = load_joint_space(path)
    assert (len(space.compressions.points), len(space.machines.points)) == (6, 4)
    assert space.constraints["perplexity"].most_times_dense == 2.0


def test_joint_space_measures_perplexity_only_where_it_is_asked_for(tmp_path: Path) -> None:
    asked = _read(tmp_path, SPACE)
    assert asked.evaluates
    assert "perplexity" in asked.measured
    cheap = _read(tmp_path, 'objectives = ["stored_bits", "seconds"]\n' + SPACE)
    assert not cheap.evaluates
    assert "perplexity" not in cheap.measured
    limited = "[constraints]\nperplexity = { most = 30 }\n"
    assert _read(tmp_path, 'objectives = ["seconds"]\n' + SPACE + limited).evaluates


def test_joint_space_stores_16_bit_numbers_in_16_bits_and_others_as_the_artifact_says(
    tmp_path: Path,
) -> None:
    text = SPACE.replace("[compression.sslc]", "value_bits = [16, 4]\n[compression.sslc]")
    space = _read(tmp_path, text)
    wide, narrow = space.compressions.points[:2]
    assert [stored_width(point, "value_bits") for point in (wide, narrow)] == [16, 4]
    workload = space.machines.workload
    assert space.machines_of(wide, workload).accelerator.bits.weight == 16
    own = space.machines.accelerator.bits.weight
    assert own == 8
    assert space.machines_of(narrow, workload).accelerator.bits.weight == own


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[fields]", '[workload]\nmodel = "llama2-7b"\n[fields]', "give it or [workload]"),
        ("kept_fraction", "kept_fractoin", "did you mean kept_fraction"),
        ('"wanda", "sslc"', '"wandas", "sslc"', "did you mean wanda"),
        ("[0.4, 0.5]", "[0.4, 1.5]", "kept_fraction must"),
        ("[0.4, 0.5]", "{ start = 0.4, stop = 0.5 }", "a range needs a step or a count"),
        ("[compression.sslc]\n", "", "method wanda has no rank_share"),
        ("[compression.sslc]", "[compression.svd]", "method does not name svd"),
        ("rank_share =", "rank_shore =", "did you mean rank_share"),
        ("rank_share =", "kept_fraction =", "kept_fraction stands in [compression] too"),
        ('model = "smollm2-135m"\n', "", "key 'model' is missing"),
        ("[fields]", "[fields]\nlins = 3", "did you mean lines"),
        (
            "[compression.sslc]\nrank_share = [0.05, 0.1]\n\n[fields]\n",
            "value_bits = 8\n[fields]\nbits.weight = [4, 8]\n",
            "bits.weight is what value_bits of [compression] sets",
        ),
        (
            '["wanda", "sslc"]\nkept_fraction = [0.4, 0.5]\n\n[compression.sslc]\n'
            "rank_share = [0.05, 0.1]\n\n[fields]\n",
            '"rtn"\n[fields]\nbits.weight = [4, 8]\n',
            "(method rtn)",
        ),
        (HEAD, f'{HEAD}objectives = ["perplexitie"]\n', "did you mean perplexity"),
        (
            f'{HEAD}\n[compression]\nmodel = "smollm2-135m"\nmethod = ["wanda", "sslc"]\n',
            f'{HEAD}objectives = ["reconstruction_error"]\n[compression]\n'
            'model = "smollm2-135m"\nmethod = ["sslc", "sslc-d"]\n',
            "method sslc-d trains the whole model",
        ),
        (
            "[fields]",
            "[constraints]\nseconds = { most_times_dense = 2 }\n[fields]",
            "only perplexity has most_times_dense",
        ),
    ],
)
def test_joint_space_that_cannot_be_used_is_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in SPACE
    with pytest.raises(InputError) as error:
        _read(tmp_path, SPACE.replace(old, new))
    assert message in str(error.value)


def test_objectives_of_models_need_a_table_of_compressions(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(f'{HEAD}objectives = ["perplexity"]\n[workload]\nmodel = "llama2-7b"\n')
    with pytest.raises(InputError, match=r"needs a \[compression\] table"):
        load_space(path)
    path.write_text(SPACE)
    with pytest.raises(InputError, match="`sslc sweep` reads it"):
        load_space(path)
