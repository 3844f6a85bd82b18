"""What a part of the project needs that is installed only when it is asked for: its extras."""

from typing import Literal

from workloads.support.errors import InputError

Extra = Literal["eval", "recover", "frames", "gpu", "onnx", "dask", "ray"]
EXTRAS: dict[Extra, str] = {
    "eval": "sslc evaluate --tasks",
    "recover": "sslc recover; models with a LoRA adapter",
    "frames": "to_frame() in Python",
    "gpu": "Triton kernels on a GPU",
    "dask": "sslc sweep --backend dask",
    "ray": "sslc sweep --backend ray",
    "onnx": "ONNX Runtime among the backends of sslc measure",
}
"""What each is for; those that only development needs are left out."""


def how_to_install(extra: Extra) -> str:
    """The command that installs an extra, for the end of a sentence."""
    return f"pip install -e '.[{extra}]' in the checkout of sslc"


def missing(what: str, package: str, extra: Extra) -> InputError:
    """The error for a package of an extra that is not installed.

    Args:
        what: What needs it, with its verb: ``"zero-shot tasks need"``.
        package: As people call it.
        extra: That brings it.

    Returns:
        The error, to be raised by the caller.
    """
    return InputError(
        f"{what} {package}, which is not installed here (extra {extra!r}): {how_to_install(extra)}"
    )
