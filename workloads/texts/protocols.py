"""Settings of calibration and evaluation under which published perplexities were measured, by name.

A perplexity means something only beside others of the same text and windows: dense LLaMA2-7B has
5.47 in windows of 2048 tokens and 5.12 in windows of 4096.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from workloads.support.errors import InputError, unknown_name


@dataclass(frozen=True)
class Protocol:
    """How a published program calibrates and evaluates.

    Attributes:
        source: The program or paper.
        calibration: Text.
        windows: Calibration windows.
        window_tokens: Tokens in each, and in each window of evaluation.
        seed: Of the windows.
        text: That is evaluated, whole and without overlap.
    """

    source: str
    calibration: str
    windows: int
    window_tokens: int
    seed: int = 0
    text: str = "wikitext2"

    def of_calibration(self) -> dict[str, object]:
        """What it fixes of a compression."""
        return {
            "calibration": self.calibration,
            "windows": self.windows,
            "window_tokens": self.window_tokens,
            "seed": self.seed,
        }

    def of_evaluation(self) -> dict[str, object]:
        """What it fixes of an evaluation."""
        return {
            "text": self.text,
            "window_tokens": self.window_tokens,
            "stride": self.window_tokens,
            "max_tokens": 0,
        }


PROTOCOLS = {
    "wanda-2048": Protocol("Sun et al. 2023, locuslab/wanda", "c4", 128, 2048),
    "sparsegpt-2048": Protocol("Frantar & Alistarh 2023, IST-DASLab/sparsegpt", "c4", 128, 2048),
    "d2prune-4096": Protocol("D2Prune, cquxl/D2Prune; LLaMA2's context", "c4", 128, 4096),
}


def fixed(
    name: str | None, given: Mapping[str, object], *, evaluation: bool = False
) -> dict[str, object]:
    """Options with those of a protocol in place of what was left open.

    Args:
        name: A key of ``PROTOCOLS``; None fixes nothing.
        given: By name; None where an option was not given.
        evaluation: Whether of an evaluation, else of a compression.

    Raises:
        InputError: The protocol is unknown, or an option contradicts it.
    """
    if name is None:
        return dict(given)
    if name not in PROTOCOLS:
        raise unknown_name("protocol", name, PROTOCOLS)
    protocol = PROTOCOLS[name]
    wanted = protocol.of_evaluation() if evaluation else protocol.of_calibration()
    for option, value in wanted.items():
        if given.get(option) not in (None, value):
            raise InputError(
                f"--{option.replace('_', '-')} {given[option]} contradicts protocol {name}, which "
                f"has {value}; leave one of them out"
            )
    return {**given, **wanted}


def named_by(text: str, window_tokens: int, *, stride_tokens: int, max_tokens: int) -> list[str]:
    """The protocols that evaluate so.

    Args:
        text: With its split, as results call it.
        window_tokens: Tokens per window.
        stride_tokens: Between window starts.
        max_tokens: The most that were asked for; 0 for all.
    """
    asked = (text.partition(":")[0], window_tokens, stride_tokens, max_tokens)
    return [name for name, p in PROTOCOLS.items() if tuple(p.of_evaluation().values()) == asked]
