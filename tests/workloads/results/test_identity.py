from dataclasses import replace

from tests.workloads.results.results import SUBJECT
from workloads.results.identity import (
    MachineIdentity,
    digest,
    distinguished,
    flat,
    method_labels,
    provenance,
)
from workloads.support.devices import cpu_name


def test_digest_order_of_names_does_not_matter_and_values_do() -> None:
    assert digest({"a": 1, "b": {"c": 2, "d": 3}}) == digest({"b": {"d": 3, "c": 2}, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert digest(SUBJECT) != digest(replace(SUBJECT, settings={"iterations": 41}))


def test_digest_machine_called_otherwise_is_the_same_machine() -> None:
    fields = {"name": "vitcod", "lines": 32}
    set_by_hand = MachineIdentity("vitcod", {"lines": 32}, fields)
    own_file = MachineIdentity("vitcod", {}, fields)
    assert digest(set_by_hand) == digest(own_file)
    assert set_by_hand.label == "vitcod + lines=32"


def test_distinguished_labels_get_a_hash_only_where_they_mean_two_things() -> None:
    assert distinguished(["a", "a", "b"], ["1" * 64, "2" * 64, "3" * 64]) == [
        "a #11111111", "a #22222222", "b",
    ]  # fmt: skip
    assert distinguished(["a", "a"], ["1" * 64, "1" * 64]) == ["a", "a"]


def test_method_labels_tell_the_settings_that_differ() -> None:
    other = replace(SUBJECT, settings={"iterations": 60}, sha256="ef" * 32)
    wanda = replace(SUBJECT, method="wanda", settings={}, sha256="01" * 32)
    assert method_labels([SUBJECT, other, wanda]) == [
        "sslc (iterations=40)", "sslc (iterations=60)", "wanda",
    ]  # fmt: skip


def test_method_labels_same_settings_and_other_content_get_the_hash() -> None:
    other = replace(SUBJECT, sha256="ef" * 32)
    assert method_labels([SUBJECT, other]) == ["sslc #abababab", "sslc #efefefef"]


def test_flat_nested_mappings_become_dotted_keys() -> None:
    assert flat({"a": {"b": {"c": 1}}, "d": 2}) == {"a.b.c": 1, "d": 2}


def test_provenance_names_version_and_command() -> None:
    found = provenance(threads=2)
    assert found.version
    assert found.command
    assert found.created.endswith("Z")
    assert (found.device, found.threads) == (cpu_name(), 2)
    assert provenance(device="a GPU").device == "a GPU"
