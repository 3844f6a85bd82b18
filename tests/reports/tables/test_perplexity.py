import dataclasses
from typing import Any

from reports.tables.perplexity import perplexity_table
from tests.workloads.results.results import SUBJECT, TEXT, perplexity
from workloads.results.kinds import PerplexityResult
from workloads.results.table import to_dict

WANDA = dataclasses.replace(SUBJECT, method="wanda", settings={}, sha256="cd" * 32)
SHORT = dataclasses.replace(TEXT, window_tokens=128, stride_tokens=128)


def rows_of(*results: PerplexityResult) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = to_dict(perplexity_table(results))["rows"]
    return rows


def test_perplexity_table_rows_of_one_window_stand_together() -> None:
    rows = rows_of(
        perplexity(value=20.0),
        perplexity(WANDA, 24.0, SHORT),
        perplexity(WANDA, 21.0),
        perplexity(value=23.0, text=SHORT),
    )
    assert [(row["Window"], row["Method"], row["Perplexity"]) for row in rows] == [
        (128, "wanda", 24.0),
        (128, "sslc", 23.0),
        (512, "sslc", 20.0),
        (512, "wanda", 21.0),
    ]


def test_perplexity_table_texts_of_one_name_are_told_apart() -> None:
    other = dataclasses.replace(TEXT, sha256="ef" * 32)
    rows = rows_of(perplexity(), perplexity(WANDA, 21.0, other))
    assert {row["Text"] for row in rows} == {"embedded #cdcdcdcd", "embedded #efefefef"}


def test_perplexity_table_device_is_a_column_only_where_it_differs() -> None:
    cpu = perplexity()
    cuda = dataclasses.replace(
        perplexity(WANDA), identity=dataclasses.replace(cpu.identity, subject=WANDA, device="cuda")
    )
    assert [row["Device"] for row in rows_of(cpu, cuda)] == ["cpu", "cuda"]
    assert "Device" not in rows_of(cpu, perplexity(WANDA))[0]
