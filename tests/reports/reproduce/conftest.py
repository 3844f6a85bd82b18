"""A model of two blocks, which is enough to compress one and leave one dense."""

from pathlib import Path

import pytest

from tests.conftest import make_checkpoint


@pytest.fixture(scope="session")
def two_blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("two-blocks")
    return make_checkpoint(directory, family="llama", blocks=2, tied=False)
