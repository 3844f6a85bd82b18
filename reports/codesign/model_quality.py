"""What a compressed model is worth before any machine runs it: bits, error, perplexity.

After ``compressed_models``. A perplexity is a result file of its artifact, and is measured once.
"""

from collections.abc import Iterator
from pathlib import Path

from reports.codesign.compression_points import CompressedModel
from reports.stored.files import FOLDER, KINDS, save_result
from sslc.evaluation.measuring import evaluate
from sslc.model.devices import find_device
from workloads.artifact.read import Artifact
from workloads.artifact.record import weight_bits
from workloads.results.envelope import result_from_json
from workloads.results.kinds import PerplexityResult, TextIdentity
from workloads.support.files import read_json
from workloads.support.progress import Progress
from workloads.texts.windows import load_text


def stored_bits(artifact: Artifact) -> float:
    """Bits of masks, values, scales, U and V over the parameters of the projections.

    Args:
        artifact: Opened.
    """
    return weight_bits(artifact.blocks)


def reconstruction_error(artifact: Artifact) -> float | None:
    """Mean over all projections of |(W - S - U Vᵀ)D| / |WD|, D the norms of calibration inputs.

    Args:
        artifact: Opened.

    Returns:
        The mean; None where a projection was trained with the whole model, after which it is
        unknown.
    """
    records = [record for block in artifact.blocks for record in block.projections]
    errors = [record.scaled_error for record in records if record.scaled_error is not None]
    return sum(errors) / len(errors) if len(errors) == len(records) else None


def text_identity(common: CompressedModel) -> TextIdentity:
    """The text of perplexities, and how it is cut.

    Args:
        common: What the space says.

    Raises:
        InputError: The text cannot be had.
    """
    text = load_text(common.text, "evaluation")
    window = common.text_window_tokens
    return TextIdentity(text.source, text.sha256, window, window, common.max_tokens)


def known_perplexity(folder: Path, sha256: str, common: CompressedModel) -> float | None:
    """A perplexity that was measured before.

    Args:
        folder: Whose ``results`` may have it.
        sha256: Of the model.
        common: The text and the device.

    Raises:
        InputError: A result file is damaged.
    """
    text, device = text_identity(common), find_device(common.device).type
    for result in _perplexities(folder):
        identity = result.identity
        if (identity.subject.sha256, identity.text, identity.device) == (sha256, text, device):
            return result.perplexity
    return None


def measured_perplexity(
    model: str | Artifact,
    folder: Path,
    *,
    sha256: str,
    common: CompressedModel,
    progress: Progress,
) -> float:
    """A model's perplexity: as it was measured before, or measured now and saved.

    Args:
        model: An artifact, or the dense model's name.
        folder: Whose ``results`` have it, or get it.
        sha256: Of the model.
        common: The text and the device.
        progress: Told after every block.

    Raises:
        InputError: The text or the model cannot be used, or a result file is damaged.
    """
    known = known_perplexity(folder, sha256, common)
    if known is not None:
        return known
    result = evaluate(
        model,
        text=common.text,
        window_tokens=common.text_window_tokens,
        max_tokens=common.max_tokens,
        device=common.device,
        progress=progress,
    )
    save_result(folder, result)
    return result.perplexity


def _perplexities(folder: Path) -> Iterator[PerplexityResult]:
    for path in sorted((folder / FOLDER).glob(f"{PerplexityResult.KIND}-*.json")):
        result = result_from_json(read_json(path), KINDS, str(path))
        if isinstance(result, PerplexityResult):
            yield result
