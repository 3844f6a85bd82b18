"""Every level of instructions that this host has, one after the other."""

import pytest

from sslc.runtime import features

HERE = [level for level in features.LEVELS if level.features <= features.host_features()]


@pytest.fixture(params=HERE, ids=lambda level: level.name)
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> features.Level:
    chosen: features.Level = request.param
    monkeypatch.setenv(features.VARIABLE, chosen.name)
    return chosen
