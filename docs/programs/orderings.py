"""Which orderings of the methods hold on the demo model: perplexity and output error, for docs.

python -m docs.programs.orderings DIR [METHOD ...]   one artifact per method in DIR, reused when
there; prints the Markdown table of docs/orderings.md
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from sslc.calibration.statistics import InputSums
from sslc.calibration.windows import Calibration
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.evaluation.perplexity import evaluation_windows, perplexity
from sslc.methods.registry import load_method
from sslc.model.blocks import BlockwiseModel
from sslc.model.checkpoint import Checkpoint
from sslc.model.opening import open_checkpoint
from sslc.model.weights import ArtifactWeights, dense_weight
from workloads.artifact.read import Artifact
from workloads.results.table import Cell, Column, Table, render
from workloads.shapes.transformer import PROJECTION_MODULES, SHARED_INPUTS
from workloads.texts.windows import load_text

MODEL = "smollm2-135m"
METHODS = ("magnitude", "ria", "wanda", "dsnot", "sparsegpt", "alps", "sslc", "sslc-h")
TOKENS = 16_384
WINDOW_TOKENS = 512


@dataclass(frozen=True)
class OutputError:
    """‖(W − Ŵ)X‖_F / ‖W X‖_F of the projections, X from the dense model on held-out text.

    Attributes:
        attention: Mean over the attention projections of all blocks.
        ffn: Mean over the others.
        mean: Mean over all projections.
    """

    attention: float
    ffn: float
    mean: float


def main(directory: Path, names: tuple[str, ...]) -> None:
    """Compress by every method that is not there yet, measure, and print the table."""
    checkpoint = open_checkpoint(MODEL)
    directory.mkdir(parents=True, exist_ok=True)
    artifacts, perplexities = {}, {}
    for name in names:
        output = Output(directory / name, resume=True)
        method = load_method(name, {})
        artifacts[name] = compress_checkpoint(
            checkpoint, method, calibration=Calibration(), output=output
        )
        source = ArtifactWeights(artifacts[name])
        perplexities[name] = perplexity(
            source, "embedded", window_tokens=WINDOW_TOKENS, max_tokens=TOKENS
        ).perplexity
        print(f"{name}: {perplexities[name]:.2f}", file=sys.stderr, flush=True)
    dense = perplexity(
        checkpoint, "embedded", window_tokens=WINDOW_TOKENS, max_tokens=TOKENS
    ).perplexity
    errors = output_errors(checkpoint, artifacts)
    print(render(_table(dense, perplexities, errors), "markdown"))


def output_errors(
    checkpoint: Checkpoint, artifacts: Mapping[str, Artifact]
) -> dict[str, OutputError]:
    """Each artifact's output errors, in one pass of the dense model over held-out windows."""
    model = BlockwiseModel(checkpoint)
    text = load_text("embedded", "evaluation")
    cut = evaluation_windows(
        checkpoint,
        text,
        window_tokens=WINDOW_TOKENS,
        stride_tokens=WINDOW_TOKENS,
        max_tokens=TOKENS,
    )
    hidden = model.embed(torch.from_numpy(cut.tokens))
    found: dict[str, dict[str, list[float]]] = {name: {"MHA": [], "FFN": []} for name in artifacts}
    for index in range(model.blocks):
        with model.block(index) as block:
            products = _products(model, index, block, hidden)
            for name, artifact in artifacts.items():
                for projection, product in products.items():
                    weight = block.get_parameter(f"{projection}.weight").double()
                    lost = weight - dense_weight(artifact.read(index, projection)).double()
                    module = PROJECTION_MODULES[projection.rpartition(".")[2]]
                    found[name][module].append(_energy(lost, product) / _energy(weight, product))
    return {
        name: OutputError(_mean(each["MHA"]), _mean(each["FFN"]), _mean(each["MHA"] + each["FFN"]))
        for name, each in found.items()
    }


def _products(
    model: BlockwiseModel, index: int, block: torch.nn.Module, hidden: torch.Tensor
) -> dict[str, torch.Tensor]:
    """X Xᵀ of every projection's inputs in float64; runs the block."""
    sums, handles = {}, []
    for name in model.linear_names():
        if name.rpartition(".")[2] not in SHARED_INPUTS:
            linear = block.get_submodule(name)
            assert isinstance(linear, torch.nn.Linear)
            sums[name] = InputSums(linear.in_features, model.device, hessian=True)
            handles.append(linear.register_forward_pre_hook(sums[name]))
    model.run(index, block, hidden)
    for handle in handles:
        handle.remove()
    products = {}
    for name in model.linear_names():
        parent, _, last = name.rpartition(".")
        hessian = sums[f"{parent}.{SHARED_INPUTS.get(last, last)}"].statistics(model.device).hessian
        assert hessian is not None
        products[name] = hessian.double()
    return products


def _energy(matrix: torch.Tensor, product: torch.Tensor) -> float:
    """‖M X‖_F from X Xᵀ."""
    return float(((matrix @ product) * matrix).sum().clamp(min=0).sqrt())


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _table(
    dense: float, perplexities: Mapping[str, float], errors: Mapping[str, OutputError]
) -> Table:
    rows: list[tuple[Cell, ...]] = [("dense", dense, None, None, None)]
    rows += [
        (name, perplexities[name], error.mean, error.attention, error.ffn)
        for name, error in errors.items()
    ]
    columns = (Column("method"), Column("perplexity", ".2f"), Column("output error", ".4f"))
    more = (Column("of attention", ".4f"), Column("of FFN", ".4f"))
    return Table("orderings", "Methods at a kept fraction of 0.5", (*columns, *more), tuple(rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]), tuple(sys.argv[2:]) or METHODS)
