"""The published numbers as shipped: spot checks against the paper, and whose rows are shown."""

import pytest

from reports.paper.published import NOTES, TASKS, USUAL, published, published_model


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("meta-llama/Llama-2-7b-hf", "llama2-7b"),
        ("huggyllama/llama-7b", "llama-7b"),
        ("Meta-Llama-3-8B", "llama3-8b"),
        ("Qwen/Qwen2.5-14B-Instruct", "qwen2.5-14b"),
        ("SmolLM2-135M-Instruct.Q4_1", USUAL),
        ("", USUAL),
    ],
)
def test_published_model_name_finds_its_rows_else_the_usual(name: str, model: str) -> None:
    assert published_model(name) == model


def test_published_model_without_rows_falls_back_and_says_so() -> None:
    whose, rows = published("table3", "qwen2.5-7b")
    assert whose == "llama2-7b"
    assert [row["iterations"] for row in rows] == ["0", "10", "20", "30", "40", "50", "60"]


def test_published_table7_llama2_13b_stands_in_the_order_of_table1() -> None:
    """The paper prints these two columns exchanged; Table 1 has 5.79 and 8.02."""
    _, rows = published("table7", "llama2-13b")
    one = next(row for row in rows if row["preserved_percent"] == "1")
    assert (one["wikitext2_ppl"], one["c4_ppl"]) == ("5.79", "8.02")
    _, first = published("table1", "llama2-13b")
    sslc = {row["metric"]: row["value"] for row in first if row["method"] == "SSLC"}
    assert (sslc["wikitext2_ppl"], sslc["c4_ppl"]) == ("5.79", "8.02")


def test_published_tables_1_and_10_disagree_as_the_note_says() -> None:
    means = {}
    for table, field in (("table1", "value"), ("table10", "accuracy_percent")):
        _, rows = published(table, "llama3-8b")
        kind = "metric" if table == "table1" else "task"
        means[table] = {
            row["method"]: row[field] for row in rows if row[kind] in ("zero_shot_mean_acc", "mean")
        }
    assert means["table1"]["SparseGPT"] == means["table10"]["Wanda"] == "65.44"
    assert means["table1"]["Wanda"] == means["table10"]["SparseGPT"] == "65.51"
    assert NOTES["table1"][0] in NOTES["table10"]


@pytest.mark.parametrize("table", ["table2", "table10"])
@pytest.mark.parametrize("model", ["llama2-7b", "qwen2.5-14b"])
def test_published_accuracies_mean_is_that_of_the_six_tasks(table: str, model: str) -> None:
    _, rows = published(table, model)
    for method in {row["method"] for row in rows}:
        found = {r["task"]: float(r["accuracy_percent"]) for r in rows if r["method"] == method}
        assert tuple(found) == TASKS
        # A printed mean may be off by a little more than its rounding.
        assert found.pop("mean") == pytest.approx(sum(found.values()) / 6, abs=0.06)
