"""``sslc doctor``: what is there, what is missing and what is wrong."""

import os
from importlib import metadata
from pathlib import Path

import pytest

from reports import machine_check
from tests.cli.conftest import Run, document

Findings = dict[str, dict[str, str]]


def findings(sslc: Run) -> Findings:
    found = document(sslc("doctor", "--json"))["details"]["findings"]
    return {finding["name"]: finding for finding in found}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "sslc"


def test_doctor_names_versions_and_finds_nothing_wrong(sslc: Run) -> None:
    found = findings(sslc)
    assert found["torch"]["found"].startswith(metadata.version("torch").partition("+")[0])
    assert f"peft {metadata.version('peft')}" in found["extra recover"]["found"]
    assert found["cache"]["found"].endswith("not made yet")
    assert [name for name, each in found.items() if each["state"] == "wrong"] == []
    assert sslc("doctor").stderr.startswith("nothing is wrong")


def test_doctor_says_how_an_extra_is_installed(sslc: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = machine_check._installed
    monkeypatch.setattr(machine_check, "_installed", lambda name: name != "peft" and real(name))
    found = findings(sslc)
    assert found["extra recover"]["state"] == found["extra eval"]["state"] == "missing"
    assert "pip install -e '.[recover]'" in found["extra recover"]["found"]
    assert found["extra frames"]["state"] == "ok"


def test_doctor_says_that_a_requirement_is_missing(
    sslc: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = machine_check._installed
    monkeypatch.setattr(machine_check, "_installed", lambda name: name != "simpy" and real(name))
    assert findings(sslc)["requirements"]["found"] == "not installed: simpy"
    assert sslc("doctor").stderr == "wrong: requirements\n"


def test_doctor_tells_the_cache_and_whether_others_may_enter(sslc: Run, cache: Path) -> None:
    cache.mkdir(mode=0o700)
    (cache / "file").write_bytes(bytes(1 << 20))
    assert findings(sslc)["cache"]["found"].endswith("mode 700, 1.0 MiB")
    cache.chmod(0o755)
    assert "others may enter" in findings(sslc)["cache"]["found"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_doctor_finds_a_cache_of_somebody_else_wrong(sslc: Run, cache: Path) -> None:
    cache.mkdir()
    os.chown(cache, 12345, 12345)
    assert findings(sslc)["cache"]["state"] == "wrong"


def test_doctor_compile_only_compiles(sslc: Run) -> None:
    done = sslc("doctor", "--compile")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith("the simulator's kernels are compiled\n")
