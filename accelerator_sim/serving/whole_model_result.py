"""A whole model that serves requests, as a typed result: its parts, and what users feel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from accelerator_sim.models.cycles_result import BASIS
from accelerator_sim.serving.amounts import Amount, total
from workloads.results.identity import CostIdentity, MachineIdentity, Provenance, Subject
from workloads.results.table import Cell, Column, Table
from workloads.shapes.attention import Heads
from workloads.shapes.embedding import Embedding

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

Phase = Literal["prefill", "decode"]
PHASES: tuple[Phase, ...] = get_args(Phase)
ServedRun = Literal["dense", "compressed"]
RUNS: tuple[ServedRun, ...] = get_args(ServedRun)
_PJ_PER_J = 1e12
_MS_PER_SECOND = 1e3
_BYTES_PER_MIB = 2**20


@dataclass(frozen=True)
class Requests:
    """What is served: sequences of one length, all at once.

    Attributes:
        prompt: Tokens of every prompt.
        output: Tokens made for each; the first comes out of the prompt's pass.
        batch: Sequences, each with a context of its own.
    """

    prompt: int
    output: int
    batch: int

    @property
    def contexts(self) -> range:
        """Tokens that every step after the first attends to, its own included."""
        return range(self.prompt + 1, self.prompt + self.output)


@dataclass(frozen=True)
class WholeModelIdentity:
    """All that determines the cost of a whole model.

    Attributes:
        subject: The model.
        workload_sha256: Of every shape, rank and mask that was simulated.
        blocks: How many blocks were simulated.
        of_blocks: How many the model has; the mean of the simulated ones stands for the others.
        heads: Of its attention.
        embedding: Of its ends.
        requests: What is served.
        kv_bits: Width of keys and values.
        query_block: Queries of a prompt that meet the same keys.
        max_samples: Contexts simulated per phase at most.
        machine: On what.
        costs: By which energies.
        cycle_model: ``roofline``, ``event`` or ``compiled``.
    """

    subject: Subject
    workload_sha256: str
    blocks: int
    of_blocks: int
    heads: Heads
    embedding: Embedding
    requests: Requests
    kv_bits: int
    query_block: int
    max_samples: int
    machine: MachineIdentity
    costs: CostIdentity
    cycle_model: str


@dataclass(frozen=True)
class Part:
    """One kind of work in one phase, all its passes and sequences together.

    Attributes:
        phase: ``prefill`` or ``decode``.
        name: ``embedding``, ``projections``, ``attention``, ``norms`` or ``head``.
        dense: Of the dense model.
        compressed: Of the compressed one.
    """

    phase: Phase
    name: str
    dense: Amount
    compressed: Amount


@dataclass(frozen=True)
class Served:
    """What users feel.

    Attributes:
        first_token_seconds: From the prompts to the first token of each sequence.
        token_seconds: From one token of a sequence to its next, the mean; None for one token.
        tokens_per_second: Tokens made by all sequences over the whole time.
        joules_per_token: None where the cycle model counts no energy.
    """

    first_token_seconds: float
    token_seconds: float | None
    tokens_per_second: float
    joules_per_token: float | None


@dataclass(frozen=True)
class WholeModelResult:
    """Cost of a whole model that serves a batch of requests.

    Attributes:
        identity: What determines it.
        provenance: Where it came from.
        parts: By phase and kind of work.
        error_cycles: Of sampled contexts, both phases together: by how much the cycles change when
            every second sample is left out.
    """

    KIND: ClassVar[str] = "whole_model"
    COMMAND: ClassVar[str] = "sslc simulate --whole"
    DERIVED: ClassVar = ("basis", "dense", "compressed", "speedup", "kv_cache_bytes")

    identity: WholeModelIdentity
    provenance: Provenance
    parts: tuple[Part, ...]
    error_cycles: float

    @property
    def basis(self) -> str:
        """What the numbers are, such as ``simulated (compiled)``."""
        return BASIS[self.identity.cycle_model]

    @property
    def dense(self) -> Served:
        """The dense model."""
        return self._served("dense")

    @property
    def compressed(self) -> Served:
        """The compressed model."""
        return self._served("compressed")

    @property
    def speedup(self) -> float:
        """Dense over compressed time, from the prompts to the last token."""
        return self.amount("dense").cycles / self.amount("compressed").cycles

    @property
    def kv_cache_bytes(self) -> int:
        """Keys and values of all blocks and sequences at the last step; its new token has none."""
        identity, requests = self.identity, self.identity.requests
        return kv_cache_bytes(
            identity.heads,
            identity.of_blocks,
            tokens=requests.batch * (requests.prompt + requests.output - 1),
            bits=identity.kv_bits,
        )

    def amount(
        self, run: ServedRun, phase: Phase | None = None, names: Sequence[str] = ()
    ) -> Amount:
        """The sum of some parts.

        Args:
            run: ``dense`` or ``compressed``.
            phase: Only of one phase.
            names: Only these kinds of work.
        """
        chosen = (
            part
            for part in self.parts
            if phase in (None, part.phase) and (not names or part.name in names)
        )
        return total(part.dense if run == "dense" else part.compressed for part in chosen)

    @property
    def stem(self) -> str:
        """Machine, cycle model and requests."""
        requests, machine = self.identity.requests, self.identity.machine.label
        sizes = f"{requests.batch}x{requests.prompt}+{requests.output}"
        return f"{self.identity.cycle_model}-{sizes}-{machine}"

    def __repr__(self) -> str:
        identity = self.identity
        return (
            f"WholeModelResult({identity.subject.model}, {identity.subject.method}, "
            f"{identity.machine.label}, {self.basis}, {self.speedup:.2f}x)"
        )

    def to_table(self) -> Table:
        """What users feel, dense and compressed."""
        return served_table([self])

    def to_frame(self) -> "pandas.DataFrame":
        """``to_table`` as a data frame.

        Raises:
            InputError: pandas is not installed.
        """
        return self.to_table().to_frame()

    def plot(self) -> "Figure":
        """Cycles of each phase by kind of work, dense beside compressed."""
        from accelerator_sim.serving.whole_model_figure import served_figure

        return served_figure(self)

    def _served(self, run: ServedRun) -> Served:
        requests = self.identity.requests
        clock = float(self.identity.machine.fields["clock_hz"])
        first, later = (self.amount(run, phase) for phase in PHASES)
        whole, tokens = total([first, later]), requests.batch * requests.output
        steps = len(requests.contexts)
        energy = whole.energy_pj
        return Served(
            first.cycles / clock,
            later.cycles / clock / steps if steps else None,
            tokens * clock / whole.cycles,
            None if energy is None else energy / _PJ_PER_J / tokens,
        )


def kv_cache_bytes(heads: Heads, blocks: int, *, tokens: int, bits: int) -> int:
    """Bytes of keys and values.

    Args:
        heads: Of the model.
        blocks: Each has its own.
        tokens: Of all sequences.
        bits: Of a value.

    Returns:
        ⌈2 · blocks · kv_heads · head_dim · tokens · bits / 8⌉.
    """
    values = 2 * blocks * heads.kv_heads * heads.head_dim * tokens
    return -(-values * bits // 8)


def served_table(results: Sequence[WholeModelResult]) -> Table:
    """What users feel, two rows for each result.

    Args:
        results: Of any models, machines and requests.
    """
    rows: list[tuple[Cell, ...]] = []
    for result in results:
        identity, requests = result.identity, result.identity.requests
        for run in RUNS:
            served, cycles = result._served(run), result.amount(run).cycles
            later = served.token_seconds
            rows.append((
                identity.subject.model,
                identity.subject.method if run == "compressed" else "dense",
                identity.machine.label,
                requests.prompt,
                requests.output,
                requests.batch,
                result.basis,
                served.first_token_seconds * _MS_PER_SECOND,
                None if later is None else later * _MS_PER_SECOND,
                served.tokens_per_second,
                served.joules_per_token,
                result.amount("dense").cycles / cycles,
                result.kv_cache_bytes / _BYTES_PER_MIB,
            ))  # fmt: skip
    title = "A whole model that serves: embeddings, all blocks, attention, norms, head"
    return Table("served", title, _COLUMNS, tuple(rows), _notes(results))


def parts_table(result: WholeModelResult) -> Table:
    """Where the time goes: cycles by phase and kind of work.

    Args:
        result: One model on one machine.
    """
    whole = result.amount("compressed").cycles
    rows = tuple(
        (
            part.phase,
            part.name,
            part.dense.cycles,
            part.compressed.cycles,
            part.dense.cycles / part.compressed.cycles if part.compressed.cycles else None,
            part.compressed.cycles / whole,
        )
        for part in result.parts
    )
    columns = (
        Column("Phase"),
        Column("Work"),
        Column("Dense (cycles)", ",.0f"),
        Column("Compressed (cycles)", ",.0f"),
        Column("Speedup", ".2f"),
        Column("Share of compressed", ".1%"),
    )
    return Table("served-parts", "Where a whole model's time goes", columns, rows)


_COLUMNS = (
    *(Column(name) for name in ("Model", "Method", "Accelerator")),
    *(Column(name, ",") for name in ("Prompt", "Output", "Batch")),
    Column("Time is"),
    Column("First token (ms)", ",.3f"),
    Column("Each further token (ms)", ",.3f"),
    Column("Tokens/s", ",.2f"),
    Column("J/token", ".3g"),
    Column("Speedup", ".2f"),
    Column("KV cache (MiB)", ",.2f"),
)


def _notes(results: Sequence[WholeModelResult]) -> tuple[str, ...]:
    blocks = {f"{r.identity.blocks} of {r.identity.of_blocks}" for r in results}
    worst = max((r.error_cycles / r.amount("compressed").cycles for r in results), default=0.0)
    return (
        "The head is dense in both runs; embeddings, norms and attention are the same in both. "
        "Residual additions, rotary embeddings and the FFN's gate are not counted.",
        f"Blocks simulated: {', '.join(sorted(blocks))}; their mean stands for the others.",
        "Attention: one sequence, block and key-value head after the other; blocks of queries skip "
        "the keys behind them. Contexts are sampled, with straight lines between; leaving out "
        f"every second sample changes all cycles by {worst:.2%}.",
        "Energy: products and DRAM; none for softmax and norms, no leakage.",
    )
