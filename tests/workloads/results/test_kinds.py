from tests.workloads.results.results import DEVICE, perplexity, runtime, zero_shot
from workloads.results.table import to_dict


def test_perplexity_result_tells_itself_in_a_line_a_table_and_a_frame() -> None:
    result = perplexity()
    assert repr(result) == "PerplexityResult(20: tiny, sslc, embedded)"
    [row] = to_dict(result.to_table())["rows"]
    assert (row["Perplexity"], row["Predicted"], row["Window"]) == (20.0, 100, 512)
    assert list(result.to_frame()["Text"]) == ["embedded"]


def test_zero_shot_result_tells_itself_in_a_line_a_table_and_a_frame() -> None:
    result = zero_shot()
    assert repr(result) == "ZeroShotResult(acc 0.5: tiny, sslc, piqa)"
    assert to_dict(result.to_table())["rows"] == [
        {"Metric": "acc", "Value": 0.5, "SE": 0.1, "Questions": 10}
    ]
    assert list(result.to_frame()["Metric"]) == ["acc"]


def test_runtime_result_tells_itself_in_a_line() -> None:
    assert repr(runtime()) == f"RuntimeResult(tiny, sslc, {DEVICE.name}, 1 block)"
