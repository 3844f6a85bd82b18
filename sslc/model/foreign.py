"""Weights in a form that is not read: quantised, half pruned, or an adapter; refused by cause."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sslc.model.source import TORCH_DTYPES
from workloads.support.errors import InputError, shown

ADAPTER_CONFIG = "adapter_config.json"
_QUANTISED = (
    ".qweight",
    ".qzeros",
    ".g_idx",
    ".weight_packed",
    ".weight_scale",
    ".weight_scale_inv",
    ".weight_zero_point",
    ".SCB",
    ".weight.absmax",
    ".weight.quant_map",
    ".W_q",
    ".weight._data",
    ".weight._scale",
)
_PRUNED = (".weight_orig", ".weight_mask", ".bias_orig", ".bias_mask")
_LORA = (".lora_A.", ".lora_B.", ".lora_embedding_A", ".lora_magnitude_vector")


def check_no_adapter(directory: Path) -> None:
    """Refuse a directory that holds an adapter, alone or beside a whole model.

    Raises:
        InputError: It does.
    """
    if not (directory / ADAPTER_CONFIG).exists():
        return
    if (directory / "config.json").exists():
        raise InputError(
            f"{directory}: an adapter ({ADAPTER_CONFIG}) stands beside the model; merge it with "
            "PEFT (merge_and_unload) and give the merged model, or remove it"
        )
    raise InputError(
        f"{directory}: an adapter alone ({ADAPTER_CONFIG}), not a model; merge it with PEFT into "
        "its base (merge_and_unload) and give the merged model"
    )


def check_plain(directory: Path, dtypes: Mapping[str, str], method: str | None) -> None:
    """Refuse weights that are not plain floating-point tensors, by their cause.

    Args:
        directory: Of the model, for the error.
        dtypes: Safetensors dtype of every tensor by name.
        method: What config.json calls the quantisation, if it names one.

    Raises:
        InputError: They are quantised, masked but not yet pruned, or of an adapter.
    """
    for name, dtype in sorted(dtypes.items()):
        if name.endswith(_PRUNED):
            raise InputError(
                f"{directory}: {shown(name)} is of a pruning that is not final; call "
                "torch.nn.utils.prune.remove on every module and save the model again"
            )
        if any(part in name for part in _LORA):
            raise InputError(
                f"{directory}: {shown(name)} is of a LoRA adapter; merge it with PEFT "
                "(merge_and_unload) and save the model again"
            )
        odd = name.endswith(".weight") and dtype not in TORCH_DTYPES
        if odd or name.endswith(_QUANTISED):
            how = f" by {shown(method)}" if method else ""
            raise InputError(
                f"{directory}: quantised{how}, or of a type that is not read (tensor "
                f"{shown(name)}, dtype {dtype}); weights must be {', '.join(TORCH_DTYPES)}: "
                "give the dense model, or dequantise it and save it again"
            )


def quantisation_of(fields: Mapping[str, Any]) -> str | None:
    """What a configuration calls the quantisation of its weights, if it names one."""
    for key in ("quantization_config", "compression_config"):
        value = fields.get(key)
        if isinstance(value, dict):
            return str(value.get("quant_method") or key)
    return None
