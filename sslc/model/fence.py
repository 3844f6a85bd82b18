"""A fence around other people's loaders: whatever they raise becomes one sentence."""

import contextlib
from collections.abc import Iterator

from workloads.support.errors import InputError

_PANIC = "PanicException"  # of Rust in tokenizers, below BaseException


@contextlib.contextmanager
def fenced(subject: str) -> Iterator[None]:
    """Turn any exception inside into an ``InputError``; interruptions pass.

    Args:
        subject: What the sentence begins with, such as the file and what it is not.

    Raises:
        InputError: Something was raised.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{subject} ({type(error).__name__}: {error})") from error
    except BaseException as error:
        if type(error).__name__ != _PANIC:
            raise
        raise InputError(f"{subject} ({error})") from error
