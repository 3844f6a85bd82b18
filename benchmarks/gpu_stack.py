"""A LLaMA2-7B-shaped stack of random weights that generates tokens one by one, in a CUDA graph.

A decode loop of our own: key-value cache, rotary positions, RMS norms and SwiGLU, attention and the
small steps in Triton, the same for dense and compressed weights. The blocks are copies of one block
in separate memory: the device reads as many bytes as a real model's.

A part of benchmarks.gpu, which runs it.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional

HIDDEN, FEED_FORWARD, HEADS, VOCABULARY = 4096, 11008, 32, 32000
HEAD = HIDDEN // HEADS
PROJECTIONS = (
    ("q", HIDDEN, HIDDEN), ("k", HIDDEN, HIDDEN), ("v", HIDDEN, HIDDEN), ("o", HIDDEN, HIDDEN),
    ("gate", FEED_FORWARD, HIDDEN), ("up", FEED_FORWARD, HIDDEN), ("down", HIDDEN, FEED_FORWARD),
)  # fmt: skip

Linear = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Block:
    """One block: its projections by name, and its cache of 2 × heads × positions × head size."""

    linears: dict[str, Linear]
    cache: Tensor


@triton.jit  # type: ignore[untyped-decorator]
def rotate_and_store_kernel(  # type: ignore[no-untyped-def]
    q, k, v, cache, position, LENGTH: tl.constexpr, HEAD: tl.constexpr
):
    """Rotate q and k to the position; keep k and v. One program a head."""
    head = tl.program_id(0)
    at = tl.load(position)
    half: tl.constexpr = HEAD // 2
    i = tl.arange(0, half)
    angle = at.to(tl.float32) * tl.exp2(i.to(tl.float32) * (-13.287712379549449 / half))
    cosine, sine = tl.cos(angle), tl.sin(angle)
    low, high = head * HEAD + i, head * HEAD + half + i
    keys = cache + (head * LENGTH + at) * HEAD
    values = keys + tl.num_programs(0) * LENGTH * HEAD
    a, b = tl.load(q + low).to(tl.float32), tl.load(q + high).to(tl.float32)
    tl.store(q + low, (a * cosine - b * sine).to(tl.bfloat16))
    tl.store(q + high, (b * cosine + a * sine).to(tl.bfloat16))
    a, b = tl.load(k + low).to(tl.float32), tl.load(k + high).to(tl.float32)
    tl.store(keys + i, (a * cosine - b * sine).to(tl.bfloat16))
    tl.store(keys + half + i, (b * cosine + a * sine).to(tl.bfloat16))
    tl.store(values + i, tl.load(v + low))
    tl.store(values + half + i, tl.load(v + high))


@triton.jit  # type: ignore[untyped-decorator]
def attention_kernel(  # type: ignore[no-untyped-def]
    q, cache, position, y, LENGTH: tl.constexpr, HEAD: tl.constexpr, STEP: tl.constexpr
):
    """Softmax over the cache up to the position. One program a head."""
    head = tl.program_id(0)
    length = tl.load(position) + 1
    i = tl.arange(0, HEAD)
    query = tl.load(q + head * HEAD + i).to(tl.float32)
    keys = cache + head * LENGTH * HEAD
    values = keys + tl.num_programs(0) * LENGTH * HEAD
    largest = -1e30
    weight = 0.0
    total = tl.zeros([HEAD], tl.float32)
    for start in range(0, length, STEP):
        at = start + tl.arange(0, STEP)
        known = (at < length)[:, None]
        place = at[:, None] * HEAD + i[None, :]
        key = tl.load(keys + place, mask=known, other=0.0).to(tl.float32)
        score = tl.sum(key * query[None, :], 1) * 0.08838834764831845
        score = tl.where(at < length, score, -1e30)
        new = tl.maximum(largest, tl.max(score, 0))
        part = tl.exp(score - new)
        scale = tl.exp(largest - new)
        value = tl.load(values + place, mask=known, other=0.0).to(tl.float32)
        total = total * scale + tl.sum(value * part[:, None], 0)
        weight = weight * scale + tl.sum(part, 0)
        largest = new
    tl.store(y + head * HEAD + i, (total / weight).to(tl.bfloat16))


@triton.jit  # type: ignore[untyped-decorator]
def add_and_normalise_kernel(  # type: ignore[no-untyped-def]
    hidden, addend, y, SIZE: tl.constexpr
):
    """hidden += addend; y = RMS norm of hidden."""
    i = tl.arange(0, SIZE)
    value = tl.load(hidden + i).to(tl.float32) + tl.load(addend + i).to(tl.float32)
    tl.store(hidden + i, value.to(tl.bfloat16))
    scale = tl.rsqrt(tl.sum(value * value, 0) / SIZE + 1e-5)
    tl.store(y + i, (value * scale).to(tl.bfloat16))


@triton.jit  # type: ignore[untyped-decorator]
def swiglu_kernel(gate, up, y, size, STEP: tl.constexpr):  # type: ignore[no-untyped-def]
    """y = silu(gate) · up."""
    i = tl.program_id(0) * STEP + tl.arange(0, STEP)
    g = tl.load(gate + i, mask=i < size, other=0.0).to(tl.float32)
    u = tl.load(up + i, mask=i < size, other=0.0).to(tl.float32)
    tl.store(y + i, (g / (1.0 + tl.exp(-g)) * u).to(tl.bfloat16), mask=i < size)


def block_step(block: Block, hidden: Tensor, addend: Tensor, position: Tensor) -> Tensor:
    """One block of one token: hidden takes the last addend in; the next addend comes back."""
    length = block.cache.shape[2]
    x, attended = torch.empty_like(hidden), torch.empty_like(hidden)
    add_and_normalise_kernel[(1,)](hidden, addend, x, SIZE=HIDDEN, num_warps=8)
    q, k, v = (block.linears[name](x) for name in "qkv")
    rotate_and_store_kernel[(HEADS,)](
        q, k, v, block.cache, position, LENGTH=length, HEAD=HEAD, num_warps=1
    )
    attention_kernel[(HEADS,)](
        q, block.cache, position, attended, LENGTH=length, HEAD=HEAD, STEP=64, num_warps=8
    )
    addend = block.linears["o"](attended)
    add_and_normalise_kernel[(1,)](hidden, addend, x, SIZE=HIDDEN, num_warps=8)
    gate, up = block.linears["gate"](x), block.linears["up"](x)
    product = torch.empty_like(gate)
    swiglu_kernel[(-(-FEED_FORWARD // 1024),)](gate, up, product, FEED_FORWARD, STEP=1024)
    return block.linears["down"](product)


@dataclass(frozen=True)
class Generation:
    """Seconds of a token, by the blocks alone and with the head; the tokens and first logits."""

    seconds: float
    seconds_with_head: float
    tokens: list[int]
    first_logits: Tensor


class Decoder:
    """A decode step captured as a graph, and the state that it moves on."""

    def __init__(self, blocks: list[Block], embedding: Tensor, head: Tensor | None) -> None:
        self.blocks, self.embedding, self.head = blocks, embedding, head
        self.token = torch.zeros(1, dtype=torch.long, device="cuda")
        self.position = torch.zeros(1, dtype=torch.int32, device="cuda")
        self.logits = torch.zeros(1, VOCABULARY, device="cuda")
        torch.cuda.synchronize()
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        with torch.cuda.stream(stream):
            self.step()
        torch.cuda.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.step()

    def step(self) -> None:
        """One token through all blocks."""
        hidden = self.embedding[self.token].clone()
        addend, x = torch.zeros_like(hidden), torch.empty_like(hidden)
        for block in self.blocks:
            addend = block_step(block, hidden, addend, self.position)
        add_and_normalise_kernel[(1,)](hidden, addend, x, SIZE=HIDDEN, num_warps=8)
        if self.head is None:
            self.token.add_(1)
        else:
            logits = functional.linear(x, self.head)
            self.logits.copy_(logits)
            self.token.copy_(logits.argmax(1))
        self.position.add_(1)

    def reset(self) -> None:
        """Back to token 1 at position 0."""
        self.token.fill_(1)
        self.position.zero_()

    def first_logits(self) -> Tensor:
        """The logits after token 1."""
        self.reset()
        self.graph.replay()
        return self.logits.clone()

    def run(self, tokens: int) -> tuple[float, list[int]]:
        """Median seconds of a token over four stretches, and the tokens."""
        self.reset()
        spans, made = [], []
        for _ in range(4):
            torch.cuda.synchronize()
            start = time.perf_counter()
            for _ in range(tokens // 4):
                self.graph.replay()
                made.append(self.token.clone())
            torch.cuda.synchronize()
            spans.append((time.perf_counter() - start) / (tokens // 4))
        return statistics.median(spans), torch.cat(made).tolist()


def generate(blocks: list[Block], *, embedding: Tensor, head: Tensor, tokens: int) -> Generation:
    """Greedy generation from token 1, timed without and with the head."""
    alone, _ = Decoder(blocks, embedding, None).run(tokens)
    decoder = Decoder(blocks, embedding, head)
    first_logits = decoder.first_logits()
    seconds, made = decoder.run(tokens)
    return Generation(alone, seconds, made, first_logits)


def new_cache(length: int) -> Tensor:
    """An empty key-value cache of one block."""
    return torch.zeros(2, HEADS, length, HEAD, dtype=torch.bfloat16, device="cuda")
