"""A LLaMA2-7B-shaped checkpoint compressed for real: memory from outside, time per block.

Writes a checkpoint of random weights (scaled normal, bf16, sharded with an index) with a few of the
32 blocks and everything else whole: embeddings, final norm, head. Then runs `sslc compress` on it
as a process of its own, and watches it: the peak that the kernel counted (getrusage), the peaks of
private and of file-backed pages (/proc), and when each block was finished. The time of 32 blocks is
an extrapolation: what came before the first block, and 32 times the mean of the others.

The tokenizer is trained here on the embedded text; its ids are below 32,000, so embeddings that
no token has are there but not used, as with any short text.

python -m benchmarks.seven_billion [BLOCKS [compress's options...]]
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from workloads.shapes.transformer import load_model
from workloads.texts.windows import load_text

VOCABULARY = 32_000
DEPTH = 32
STANDARD_DEVIATION = 0.02  # initializer_range of meta-llama/Llama-2-7b-hf's config.json
CALIBRATION = ("--windows", "8", "--window-tokens", "512")


def main(blocks: int, options: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="seven-billion-") as folder:
        model, out = Path(folder) / "model", Path(folder) / "artifact"
        model.mkdir()
        write_checkpoint(model, blocks)
        sizes = [file.stat().st_size for file in model.glob("*.safetensors")]
        print(f"checkpoint: {blocks} blocks, {sum(sizes) / 1e9:.2f} GB in {len(sizes)} files")
        command = [str(Path(sys.executable).with_name("sslc")), "compress", str(model)]
        command += ["--out", str(out), *CALIBRATION, *options]
        peaks, finished = watch(command, out)
        written = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    for name, size in peaks.items():
        print(f"{name}: {size / 2**30:.2f} GiB")
    report_times(finished, blocks)
    print(f"artifact: {written / 1e9:.2f} GB")


def report_times(finished: list[float], blocks: int) -> None:
    """Print seconds per block and the extrapolation; the last entry is the end of the run."""
    steps = np.diff(finished)
    per_block = [f"{step:.1f}" for step in steps[:-1]]
    print(f"first block finished after {finished[0]:.1f} s, then each after {per_block} s")
    print(f"{blocks} blocks in {finished[-1]:.1f} s (measured)")
    if blocks > 1:
        mean = float(np.mean(steps[:-1]))
        whole = finished[0] + (DEPTH - 1) * mean + float(steps[-1])
        print(
            f"{DEPTH} blocks in {whole / 60:.0f} minutes (extrapolated from {mean:.1f} s a block)"
        )


def watch(command: list[str], out: Path) -> tuple[dict[str, int], list[float]]:
    """Run a command; its peaks in bytes, and when each block and the whole were finished."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    progress = out.with_name(f"{out.name}.partial") / "progress.json"
    peaks = {"RssAnon": 0, "RssFile": 0}
    finished: list[float] = []
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        for name, size in _resident(process.pid).items():
            peaks[name] = max(peaks[name], size)
        if _finished_blocks(progress) > len(finished):
            finished.append(time.perf_counter() - start)
        time.sleep(0.05)
    if status:
        raise SystemExit(f"{' '.join(command)}: wait status {status}")
    finished.append(time.perf_counter() - start)
    return {
        "peak resident (getrusage)": usage.ru_maxrss * 1024,
        "peak private pages (sampled)": peaks["RssAnon"],
        "peak file-backed pages (sampled)": peaks["RssFile"],
    }, finished


def _resident(pid: int) -> dict[str, int]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    fields = dict(line.split(":", 1) for line in lines)
    names = ("RssAnon", "RssFile")
    return {name: int(fields[name].split()[0]) * 1024 for name in names if name in fields}


def _finished_blocks(progress: Path) -> int:
    try:
        return len(json.loads(progress.read_text())["blocks"])
    except OSError:
        return 0


def write_checkpoint(directory: Path, blocks: int) -> None:
    """A sharded bf16 checkpoint, one shard per block and one for everything else."""
    shape = load_model("llama2-7b")
    write_tokenizer(directory)
    width = shape.hidden
    rest = {"model.embed_tokens.weight": (VOCABULARY, width), "lm_head.weight": (VOCABULARY, width)}
    places = _write_shard(
        directory, "model-rest.safetensors", rest | {"model.norm.weight": (width,)}
    )
    for index in range(blocks):
        prefix = f"model.layers.{index}"
        parts = {"MHA": "self_attn", "FFN": "mlp"}
        shapes: dict[str, tuple[int, ...]] = {
            f"{prefix}.{parts[gemm.module]}.{gemm.name}.weight": (gemm.m, gemm.n)
            for gemm in shape.projections()
        }
        for norm in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{prefix}.{norm}.weight"] = (width,)
        places |= _write_shard(directory, f"model-{index:05d}.safetensors", shapes)
    index_file = {"metadata": {}, "weight_map": places}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index_file))
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": width,
        "intermediate_size": shape.intermediate,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "num_hidden_layers": blocks,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": False,
        "vocab_size": VOCABULARY,
        "dtype": "bfloat16",
    }
    (directory / "config.json").write_text(json.dumps(config))


def _write_shard(directory: Path, file: str, shapes: dict[str, tuple[int, ...]]) -> dict[str, str]:
    tensors = {}
    for name, shape in shapes.items():
        if len(shape) == 1:
            tensors[name] = torch.ones(shape, dtype=torch.bfloat16)
        else:
            tensors[name] = torch.empty(shape, dtype=torch.bfloat16).normal_(std=STANDARD_DEVIATION)
    save_file(tensors, directory / file, metadata={"format": "pt"})
    return dict.fromkeys(shapes, file)


def write_tokenizer(directory: Path) -> None:
    """A byte-level BPE of the embedded text with at most as many tokens as there are embeddings."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([load_text("embedded", "calibration").content], trainer)
    wrapped: Any = PreTrainedTokenizerFast
    wrapped(tokenizer_object=tokenizer).save_pretrained(directory)


if __name__ == "__main__":
    torch.manual_seed(0)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2, sys.argv[2:])
