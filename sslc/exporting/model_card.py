"""The model card of an export: README.md with the front matter that the Hugging Face hub reads.

It says only what the manifest and the artifact's results hold; what was not measured is left out.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import ModelCardData

from workloads.artifact.read import Artifact
from workloads.artifact.record import kept_share, totals
from workloads.artifact.storage import FLOAT_BYTES
from workloads.results.envelope import result_from_json
from workloads.results.identity import SHORT, method_labels
from workloads.results.kinds import PerplexityResult
from workloads.support.files import read_json

Layout = Literal["dense", "adapter"]
_LOADING = {
    "dense": """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("PATH")
tokenizer = AutoTokenizer.from_pretrained("PATH")
""",
    "adapter": """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = AutoModelForCausalLM.from_pretrained("PATH")  # S alone
model = PeftModel.from_pretrained(base, "PATH/adapter")  # S + U Vᵀ
tokenizer = AutoTokenizer.from_pretrained("PATH")
""",
}
_WHAT = {
    "dense": "The checkpoint holds W' = S + U Vᵀ as one dense tensor per projection ({dtype}).",
    "adapter": "The checkpoint holds S with its zeros ({dtype}); U and V are a PEFT LoRA adapter "
    "in the folder `adapter`. Do not merge the adapter if S is to stay sparse.",
}


def model_card(
    artifact: Artifact,
    layout: Layout,
    *,
    dtype: str,
    weight_bytes: int,
    library: str = "transformers",
) -> str:
    """The text of README.md.

    Args:
        artifact: The compressed model, with its results if there are any.
        layout: Of the export.
        dtype: Of its tensors.
        weight_bytes: Of its safetensors files.
        library: What loads it: ``transformers``, or ``peft`` for the adapter's own folder.

    Raises:
        InputError: A perplexity in the artifact's results is not whole, or of an older form.
    """
    settings = artifact.settings
    name = settings.base_model["name"]
    parts = [
        _front_matter(name, settings.method["name"], library),
        f"# {name}, compressed by {settings.method_name}\n",
        "The projections of every block were compressed to sparse plus low-rank parts, "
        "W ≈ S + U Vᵀ (see [arXiv 2510.26446](https://arxiv.org/abs/2510.26446)). "
        + _WHAT[layout].format(dtype=dtype)
        + "\n",
        "## How it was made\n",
        _table(_facts(artifact)),
        _perplexities(artifact),
        "## Sizes\n",
        _table(_sizes(artifact, weight_bytes)),
        f"## Loading\n\n```python\n{_LOADING[layout]}```\n",
    ]
    return "\n".join(part for part in parts if part)


def _front_matter(name: str, method: str, library: str) -> str:
    tags = ["sslc", "sparse", "low-rank", "compressed", method]
    data = ModelCardData(
        base_model=name,
        library_name=library,
        pipeline_tag="text-generation",
        tags=list(dict.fromkeys(tags)),
    )
    return f"---\n{data.to_yaml()}\n---\n"


def _facts(artifact: Artifact) -> dict[str, str]:
    settings, counts = artifact.settings, totals(artifact.blocks)
    calibration = settings.calibration
    method = dict(settings.method["settings"])
    asked = method.pop("kept_fraction", None)
    windows, length = calibration["windows"], calibration["window_tokens"]
    facts = {
        "base model": f"{settings.base_model['name']} (SHA-256 {settings.base_model['sha256']})",
        "method": settings.method["name"],
        "settings": ", ".join(f"{key}={value}" for key, value in method.items()),
        "kept fraction asked for": "" if asked is None else f"{asked:.4g}",
        "kept of the projections' parameters": f"{kept_share(artifact.blocks):.4%}",
        "in S": f"{counts['nonzeros']:,} of {counts['parameters']:,}",
        "in U and V": f"{counts['factor_parameters']:,}",
        "calibration": f"{calibration['source']}, {windows} x {length} = {windows * length:,} "
        f"tokens, seed {calibration['seed']} (text's SHA-256 {calibration['sha256']})",
    }
    for key, value in settings.choice.items():
        facts[key] = "; ".join(_choice(entry) for entry in value)
    if settings.recovery:
        facts["recovery"] = _recovery(settings.recovery)
    return {key: value for key, value in facts.items() if value}


def _recovery(recovery: Mapping[str, Any]) -> str:
    what = {"factors": "U and V", "lora": "LoRA factors, which are U and V here,"}
    return (
        f"{what[recovery['trained']]} trained with S frozen ({recovery['trained_parameters']:,} "
        f"parameters) on {recovery['source']}: {recovery['steps']} steps of "
        f"{recovery['batch_size']} examples of at most {recovery['window_tokens']} tokens, "
        f"learning rate {recovery['learning_rate']:g}, seed {recovery['seed']} "
        f"(data's SHA-256 {recovery['sha256']})"
        + (f", on the distributions of {recovery['teacher']}" if "teacher" in recovery else "")
    )


def _choice(entry: Any) -> str:
    if isinstance(entry, str):
        return entry
    settings = ", ".join(f"{key}={value}" for key, value in entry["settings"].items())
    return f"{entry['pattern']}: {settings}"


def _sizes(artifact: Artifact, weight_bytes: int) -> dict[str, str]:
    width = FLOAT_BYTES[artifact.settings.dtype]
    records = [record for block in artifact.blocks for record in block.projections]
    stored = sum(record.stored_bytes for record in records)
    dense = sum(record.m * record.n * width for record in records)
    return {
        f"projections, dense ({artifact.settings.dtype})": f"{dense:,} bytes",
        "projections in the artifact (mask bits, values, U, V)": f"{stored:,} bytes "
        f"({stored / dense:.1%})",
        "weights of this export": f"{weight_bytes:,} bytes",
    }


def _perplexities(artifact: Artifact) -> str:
    """What ``sslc evaluate`` left beside the artifact, a table for each text and windows.

    Perplexities may be compared only where text, windows, arithmetic and device are the same.
    """
    groups: dict[str, list[PerplexityResult]] = {}
    for path in sorted((artifact.path / "results").glob("perplexity*.json")):
        result = result_from_json(read_json(path), [PerplexityResult], str(path))
        groups.setdefault(_measured_on(result), []).append(result)
    if not groups:
        return ""
    parts = (_perplexity_table(about, results) for about, results in sorted(groups.items()))
    return "## Perplexity (measured)\n\n" + "\n".join(parts)


def _measured_on(result: PerplexityResult) -> str:
    identity, text = result.identity, result.identity.text
    every = "" if text.stride_tokens == text.window_tokens else f" every {text.stride_tokens}"
    return (
        f"{text.source} (SHA-256 {text.sha256[:SHORT]}), {result.predicted_tokens:,} predicted "
        f"tokens in windows of {text.window_tokens}{every}, {identity.dtype} on {identity.device}"
    )


def _perplexity_table(about: str, results: Sequence[PerplexityResult]) -> str:
    labels = method_labels([result.identity.subject for result in results])
    rows = (
        f"| {_cell(result.identity.subject.model)} | {_cell(label)} | {result.perplexity:.4g} |\n"
        for result, label in zip(results, labels, strict=True)
    )
    head = "| model | method | perplexity |\n|---|---|---|\n"
    return f"{_cell(about)}:\n\n{head}{''.join(rows)}"


def _table(facts: Mapping[str, str]) -> str:
    rows = (f"| {key} | {_cell(value)} |\n" for key, value in facts.items())
    return "| | |\n|---|---|\n" + "".join(rows)


def _cell(text: str) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def weight_bytes_of(directory: Path) -> int:
    """Bytes of the safetensors files directly in a directory."""
    return sum(file.stat().st_size for file in directory.glob("*.safetensors"))
