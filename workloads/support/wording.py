"""Numbers with their nouns, for people."""


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural but for one: ``1 token``, ``4,096 tokens``.

    Args:
        number: How many.
        noun: In the singular; its plural ends in ``s``.
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
