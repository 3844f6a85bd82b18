"""What of the host is seen, and what hiding it gives."""

from collections.abc import Iterable

import pytest

from sslc.runtime import features
from workloads.support.errors import InputError


def _host_with(monkeypatch: pytest.MonkeyPatch, names: Iterable[str]) -> None:
    monkeypatch.setattr(features, "host_features", lambda: frozenset(names))


def test_host_level_with_everything_is_the_highest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(features.VARIABLE, raising=False)
    _host_with(monkeypatch, features.AVX512_BF16.features)
    assert features.host_level() is features.AVX512_BF16


def test_host_level_without_vbmi2_is_avx2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(features.VARIABLE, raising=False)
    _host_with(monkeypatch, features.AVX512.features - {"avx512vbmi2"})
    assert features.host_level() is features.AVX2


def test_host_level_hidden_is_never_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(features.VARIABLE, "avx512")
    _host_with(monkeypatch, features.AVX2.features)
    assert features.host_level() is features.AVX2


@pytest.mark.parametrize("hidden", ["none", "avx2"])
def test_cpu_availability_without_avx2_gives_the_reason(
    monkeypatch: pytest.MonkeyPatch, hidden: str
) -> None:
    monkeypatch.setenv(features.VARIABLE, hidden)
    _host_with(monkeypatch, set() if hidden == "avx2" else features.AVX512.features)
    assert features.cpu_availability() == features.Availability(False, "needs AVX2")
    with pytest.raises(features.NotAvailableError, match="not available: needs AVX2"):
        features.required_level()


def test_host_level_unknown_value_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(features.VARIABLE, "sse")
    with pytest.raises(InputError, match="SSLC_CPU_FEATURES is 'sse'"):
        features.host_level()
