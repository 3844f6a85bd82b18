"""U and V of an artifact, or fresh LoRA factors, trained through PEFT and transformers' Trainer.

S is the frozen weight of plain linear layers, V and U are the adapter's A and B: A = Vᵀ, B = U.
"""

import contextlib
import functools
import json
import math
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.utils import logging

from sslc.model.adapter import TENSORS, lora_settings
from sslc.model.loading import load_base
from sslc.model.names import full_name
from sslc.model.weights import to_torch
from sslc.recovery.data import IGNORED, Tokens, collate
from sslc.recovery.settings import Training
from workloads.artifact.read import Artifact
from workloads.support.errors import InputError
from workloads.support.files import TensorFile, open_tensors, read_json
from workloads.support.progress import Progress

STAGE = "recover"
_STATE = "trainer_state.json"
_CHECKPOINTS = 20
_AVERAGED_STEPS = 10


def fine_tune(
    model: Any,
    examples: Sequence[Tokens],
    *,
    training: Training,
    directory: Path,
    device: torch.device,
    progress: Progress,
    teacher: Any = None,
) -> None:
    """Train an adapted model, from the newest checkpoint in a directory if there is one.

    Args:
        model: From ``adapted_model``.
        examples: What to learn.
        training: Settings.
        directory: Where the library keeps its checkpoints; the last one stays there.
        device: Where the arithmetic runs.
        progress: Told after every step.
        teacher: A causal LM whose next-token distributions are learnt in place of the examples'
            tokens; None for none.

    Raises:
        InputError: The loss is no longer finite, or there are several CUDA devices.
    """
    if device.type == "cuda" and torch.cuda.device_count() > 1:
        raise InputError(
            f"recovery trains on one device and torch sees {torch.cuda.device_count()}; "
            "choose one with the environment variable CUDA_VISIBLE_DEVICES"
        )
    made = Trainer if teacher is None else functools.partial(DistillingTrainer, teacher.to(device))
    trainer = made(
        model,
        _arguments(training, directory, device),
        train_dataset=examples,
        data_collator=collate,
        callbacks=[_Report(progress)],
    )
    trainer.remove_callback(PrinterCallback)
    newest = _newest_checkpoint(directory)
    with _quiet():
        trainer.train(resume_from_checkpoint=None if newest is None else str(newest))


def adapted_model(artifact: Artifact, ranks: Mapping[str, int], *, seed: int) -> Any:
    """S with a LoRA adapter of scale 1 on some projections, in float32.

    Args:
        artifact: Where a projection has factors, they are the adapter's; elsewhere A is random as
            PEFT draws it and B is zero.
        ranks: Rank of each adapted projection by its full name.
        seed: Of the fresh factors.

    Returns:
        A ``PeftModel`` in which A and B alone require gradients.

    Source: SSLC Eq. 9 (U and V are trained, S is not).
    """
    from peft import LoraConfig, get_peft_model

    base = load_base(artifact)
    base.name_or_path = str(artifact.path)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT asks transformers by an old name
        torch.manual_seed(seed)
        model = get_peft_model(base, LoraConfig(**lora_settings(ranks)))
    with torch.no_grad():
        for name, u, v in _factors(artifact):
            layer = base.get_submodule(name)
            layer.lora_A["default"].weight.copy_(v.T)
            layer.lora_B["default"].weight.copy_(u)
    return model


def trained_factors(directory: Path, steps: int) -> TensorFile | None:
    """A and B as the last checkpoint of a whole training holds them, or None before that."""
    last = directory / f"checkpoint-{steps}"
    return open_tensors(last / TENSORS) if _is_whole(last) else None


def training_loss(directory: Path, steps: int) -> dict[str, float]:
    """Mean loss of the first and of the last steps, ten each or as many as there are."""
    history = read_json(directory / f"checkpoint-{steps}" / _STATE)["log_history"]
    losses = [entry["loss"] for entry in history if "loss" in entry]
    some = min(_AVERAGED_STEPS, len(losses))
    return {"first": sum(losses[:some]) / some, "last": sum(losses[-some:]) / some}


class DistillingTrainer(Trainer):
    """The library's Trainer with KL(teacher ‖ model) as its loss.

    The mean is over the positions whose next token has a label, in nats.
    """

    def __init__(self, teacher: Any, model: Any, *rest: Any, **named: Any) -> None:
        super().__init__(model, *rest, **named)
        self._teacher = teacher.eval()

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The loss of a batch, and the model's outputs if they are wanted."""
        del num_items_in_batch
        outputs = model(input_ids=inputs["input_ids"])
        with torch.no_grad():
            wanted = self._teacher(input_ids=inputs["input_ids"]).logits
        counted = inputs["labels"][:, 1:] != IGNORED
        found, wanted = (logits[:, :-1][counted] for logits in (outputs.logits, wanted))
        loss = torch.nn.functional.kl_div(
            found.log_softmax(-1), wanted.log_softmax(-1), reduction="batchmean", log_target=True
        )
        return (loss, outputs) if return_outputs else loss


class _Report(TrainerCallback):
    """Tells our progress about the library's steps, and ends a training that diverged."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        del args, control
        self._progress(STAGE, state.global_step, state.max_steps)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        del args, control
        self._progress(STAGE, state.global_step, state.max_steps)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        del args, control
        if not math.isfinite(state.log_history[-1].get("loss", 0.0)):
            raise InputError(
                f"the training loss is not finite at step {state.global_step}; "
                "give a smaller --learning-rate"
            )


def _arguments(training: Training, directory: Path, device: torch.device) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(directory),
        max_steps=training.steps,
        per_device_train_batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        warmup_steps=round(training.warmup_share * training.steps),
        lr_scheduler_type="linear",
        optim="adamw_torch",
        weight_decay=0.0,
        seed=training.seed,
        data_seed=training.seed,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=math.ceil(training.steps / _CHECKPOINTS),
        save_total_limit=1,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        use_cpu=device.type == "cpu",
        disable_tqdm=True,
        report_to=[],
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's remarks off the terminal; errors still come through."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _factors(artifact: Artifact) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    for index, block in enumerate(artifact.blocks):
        for record in block.projections:
            if record.rank:
                stored = artifact.read(index, record.name)
                yield full_name(index, record.name), to_torch(stored.u), to_torch(stored.v)


def _is_whole(checkpoint: Path) -> bool:
    """Whether a kill left the checkpoint complete: its state is what the library writes last."""
    try:
        json.loads((checkpoint / _STATE).read_bytes())
    except (OSError, ValueError):
        return False
    return True


def _newest_checkpoint(directory: Path) -> Path | None:
    """The newest whole checkpoint; the others are removed."""
    checkpoints = sorted(directory.glob("checkpoint-*"), key=lambda path: int(path.name[11:]))
    whole = [path for path in checkpoints if _is_whole(path)]
    for path in checkpoints:
        if path not in whole[-1:]:
            shutil.rmtree(path)
    return whole[-1] if whole else None
