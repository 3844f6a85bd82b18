import pytest

from workloads.support.errors import InputError
from workloads.support.sizes import parse_bytes


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("4GiB", 4 * 2**30),
        ("800 MB", 800_000_000),
        (" 1.5 kB ", 1500),
        ("2e9", 2_000_000_000),
        (4096, 4096),
        (None, None),
    ],
)
def test_parse_bytes_as_people_write_them(size: str | int | None, expected: int | None) -> None:
    assert parse_bytes(size) == expected


@pytest.mark.parametrize("size", ["", "4Gb", "-1GB", "0", 0, "inf", "nan", "GiB", "4 5 MB"])
def test_parse_bytes_no_size_is_refused(size: str | int) -> None:
    with pytest.raises(InputError, match="not a memory size"):
        parse_bytes(size)
