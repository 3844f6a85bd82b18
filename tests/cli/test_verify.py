from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.workloads.artifact.test_read import small_artifact


@pytest.mark.parametrize("file", ["blocks/001.safetensors", "rest.safetensors", "config.json"])
def test_verify_a_damaged_file_is_named_and_a_whole_artifact_is_said_to_be(
    sslc: Run, tmp_path: Path, file: str
) -> None:
    artifact = small_artifact(tmp_path)
    whole = sslc("verify", artifact)
    assert whole.returncode == 0, whole.stderr
    assert "all 4 files are what was written" in whole.stderr
    data = bytearray((artifact / file).read_bytes())
    data[-1] ^= 1
    (artifact / file).write_bytes(bytes(data))
    damaged = sslc("verify", artifact)
    assert damaged.returncode == 2
    assert file in damaged.stderr
    assert "damaged" in damaged.stderr
    assert damaged.stderr.count("\n") == 1 + damaged.stderr.count("verify: ")
