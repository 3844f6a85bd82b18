import pytest
import torch

from sslc.model.devices import device_name, find_device
from workloads.support.errors import InputError


@pytest.mark.parametrize("name", ["tpu", "meta", "cuda:99"])
def test_find_device_unusable_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=name):
        find_device(name)


def test_find_device_cpu_has_the_name_of_its_vendor() -> None:
    device = find_device("cpu")
    assert device == torch.device("cpu")
    assert device_name(device).strip()
