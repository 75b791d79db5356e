"""Compare psi's training step with PyTorch's on the same models and batches, in one alternating run.

Two Llama-shaped models are trained from noise on a fixed batch; a step is forward, backward, clipping by the global
norm and AdamW. PyTorch runs eagerly and compiled, in f32 and under bf16 autocast, with the fused AdamW and
`scaled_dot_product_attention`; psi is compared with the best of the four. psi and PyTorch take turns, round by round,
so that a slow minute of the machine hits both; medians over the rounds are printed, and the ratio against the bar.

Usage:
    python -m venv VENV && VENV/bin/pip install torch==2.15.0     (compiling also needs a C++ compiler)
    cargo build --release
    VENV/bin/python bench/train_vs_torch.py --psi target/release/psi [--threads 2] [--rounds 3] [--steps 5] [--only 6.2M] [--json OUT]

Exit status: 0 every bar held, 1 a bar was missed, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Size:
    """A model and its batch; the same as psi's `bench/train.rs`."""

    name: str
    d_model: int
    n_layers: int
    n_heads: int
    vocab_size: int
    n_sequences: int
    seq_len: int
    bar: float  # psi / PyTorch's best

    @property
    def tokens(self) -> int:
        return self.n_sequences * self.seq_len


SIZES = [
    Size("6.2M", 256, 6, 4, 4096, 8, 256, bar=1.8),
    Size("31.5M", 512, 8, 8, 8192, 4, 512, bar=1.6),
]
VARIANTS = [(mode, dtype) for mode in ("eager", "compiled") for dtype in ("f32", "bf16")]
WARM_UP = 3


class Block(nn.Module):
    """Pre-norm attention and SwiGLU, as Llama's."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        d, d_ff = size.d_model, 3 * size.d_model
        self.n_heads = size.n_heads
        self.attn_norm = nn.RMSNorm(d, eps=1e-5)
        self.mlp_norm = nn.RMSNorm(d, eps=1e-5)
        # One matrix for q, k and v and one for gate and up: the products PyTorch does fastest.
        self.w_qkv = nn.Linear(d, 3 * d, bias=False)
        self.w_o = nn.Linear(d, d, bias=False)
        self.w_gate_up = nn.Linear(d, 2 * d_ff, bias=False)
        self.w_down = nn.Linear(d_ff, d, bias=False)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        b, t, d = x.shape
        q, k, v = self.w_qkv(self.attn_norm(x)).view(b, t, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        y = F.scaled_dot_product_attention(q, k, v.to(q.dtype), is_causal=True)
        x = x + self.w_o(y.transpose(1, 2).reshape(b, t, d))
        gate, up = self.w_gate_up(self.mlp_norm(x)).chunk(2, dim=-1)
        return x + self.w_down(F.silu(gate) * up)


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Model(nn.Module):
    """A Llama with tied embeddings; forward returns the mean cross-entropy."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.embed = nn.Embedding(size.vocab_size, size.d_model)
        self.blocks = nn.ModuleList(Block(size) for _ in range(size.n_layers))
        self.final_norm = nn.RMSNorm(size.d_model, eps=1e-5)
        d_head = size.d_model // size.n_heads
        angles = torch.outer(torch.arange(size.seq_len), 10_000.0 ** (-torch.arange(0, d_head, 2) / d_head))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        cos, sin = self.cos, self.sin
        if torch.is_autocast_enabled("cpu"):
            cos, sin = cos.bfloat16(), sin.bfloat16()
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, cos, sin)
        logits = F.linear(self.final_norm(x), self.embed.weight)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1))


def stepper(size: Size, mode: str, dtype: str) -> Callable[[], float]:
    """A function that runs one step and returns its loss."""
    torch.manual_seed(0)
    model = Model(size)
    forward = torch.compile(model) if mode == "compiled" else model
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    text = (torch.arange(size.tokens + 1) * 2_654_435_761) % 2**32 % size.vocab_size
    tokens = text[:-1].view(size.n_sequences, size.seq_len)
    targets = text[1:].view(size.n_sequences, size.seq_len)

    def step() -> float:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == "bf16"):
            loss = forward(tokens, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimiser.step()
        return loss.item()

    return step


def torch_rate(size: Size, step: Callable[[], float], steps: int) -> float:
    """Tokens per second: the median step."""
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return size.tokens / statistics.median(seconds)


def psi_results(psi: Path, threads: int, steps: int, size: Size) -> dict:
    command = [str(psi), "bench", "--only", "train", "--json", "--threads", str(threads), "--repeat", str(steps)]
    document = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    wanted = {f"train {dtype} {size.name}": dtype for dtype in ("f32", "bf16")}
    rates = {wanted[r["name"]]: r for r in document["results"] if r["name"] in wanted}
    return {"roof": document["roof"], "tier": document["tier"], "rates": rates}


def compare(size: Size, args: argparse.Namespace) -> dict:
    steppers = {}
    for mode, dtype in VARIANTS:
        step = steppers[mode, dtype] = stepper(size, mode, dtype)
        losses = [step() for _ in range(WARM_UP)]
        print(f"  {size.name} torch {mode} {dtype}: losses {losses[0]:.4f} .. {losses[-1]:.4f}", flush=True)
    rates: dict[str, list[float]] = {}
    shares = []
    for _ in range(args.rounds):
        psi = psi_results(args.psi, args.threads, args.steps, size)
        for dtype, result in psi["rates"].items():
            rates.setdefault(f"psi {dtype}", []).append(result["value"])
        shares.append(psi["rates"]["bf16"]["share_of_roof"])
        for (mode, dtype), step in steppers.items():
            rates.setdefault(f"torch {mode} {dtype}", []).append(torch_rate(size, step, args.steps))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    best = max((n for n in medians if n.startswith("torch")), key=medians.__getitem__)
    ratio = medians["psi bf16"] / medians[best]
    for name, rate in medians.items():
        print(f"  {size.name:>6} {name:<20} {rate:>9.0f} tokens/s")
    held = ratio >= size.bar
    print(f"{size.name}: psi bf16 is {ratio:.2f} x torch's best ({best}), bar {size.bar}: {'held' if held else 'MISSED'}")
    f32 = max(v for n, v in medians.items() if n.startswith("torch") and n.endswith("f32"))
    print(f"{size.name}: psi f32 is {medians['psi f32'] / f32:.2f} x torch's best f32")
    share = statistics.median(shares)
    print(f"{size.name}: {100 * share:.0f} % of the bf16 roof of tier {psi['tier']}, {psi['roof']['bf16_gflops']:.0f} GFLOP/s\n")
    return {"size": size.name, "medians": medians, "best": best, "ratio": ratio, "share_of_roof": share, "held": held}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--psi", type=Path, default=Path("target/release/psi"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--only", help="only sizes whose name contains this")
    parser.add_argument("--json", type=Path, help="also write the results here")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    sizes = [s for s in SIZES if not args.only or args.only in s.name]
    if not sizes or not args.psi.is_file():
        print(f"no such size or no program at {args.psi}", file=sys.stderr)
        return 2
    results = [compare(size, args) for size in sizes]
    if args.json:
        args.json.write_text(json.dumps({"torch": torch.__version__, "results": results}, indent=1) + "\n")
    return 0 if all(r["held"] for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
