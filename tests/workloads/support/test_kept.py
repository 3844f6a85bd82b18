"""Values kept up to a number of bytes."""

from workloads.support.kept import Kept


def asked(kept: Kept[bytes], keys: str, size: int = 10) -> str:
    """Keys whose value had to be made, in order."""
    made: list[str] = []

    def make(key: str) -> bytes:
        made.append(key)
        return bytes(size)

    for key in keys:
        kept.get(key, lambda key=key: make(key))  # type: ignore[misc]
    return "".join(made)


def test_kept_beyond_its_bytes_drops_the_least_recently_used() -> None:
    kept: Kept[bytes] = Kept(20, len)
    assert asked(kept, "abacab") == "abcb"
    assert ("a" in kept, "b" in kept, "c" in kept) == (True, True, False)


def test_kept_value_larger_than_all_stays_alone() -> None:
    kept: Kept[bytes] = Kept(20, len)
    asked(kept, "ab")
    assert asked(kept, "cc", size=100) == "c"
    assert len(kept) == 1
    assert asked(kept, "ab") == "ab"
    assert len(kept) == 2


def test_kept_clear_makes_everything_anew() -> None:
    kept: Kept[bytes] = Kept(20, len)
    asked(kept, "ab")
    kept.clear()
    assert asked(kept, "abab") == "ab"
