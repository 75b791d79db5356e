"""Compare psi with llama.cpp on the same files, in one alternating run, and hold the ratios against the bars.

For every model file: prefill of a prompt, decoding, decoding at depth, decoding beside a busy neighbour, load time and
peak memory. Each measurement is repeated A B A B (psi, llama.cpp, psi, llama.cpp ...), so that a slow minute of the
machine hits both. llama.cpp runs with and without flash attention and is credited with the better median.

Usage:
    python bench/make_models.py MODELS --quantize PEER/bin/llama-quantize      (once)
    python bench/vs_llama_cpp.py --psi target/release/psi --llama-bench PEER/bin/llama-bench --models MODELS \\
        [--threads 2] [--rounds 3] [--only 1.2b-q8_0] [--tests decode,prefill] [--json OUT]

Standard library only. What psi must print: `psi bench --model FILE --json --only decode|prefill|load [--prompt N]
[--gen N] [--depth N] [--threads N] [--repeat N]` writes one JSON document {"roof": {...}, "results": [{"name", "value", "unit",
"share_of_roof"}]} to stdout.

Exit status: 0 every bar held, 1 a bar was missed or a measurement is missing, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

PROMPT, GEN, DEPTH = 512, 64, 4096
QUANTISED = ("q8_0", "q4_k_m")
LARGE = "1.2b"


@dataclass(frozen=True)
class Test:
    """One comparison: the arguments for both programs and the bar for psi/llama.cpp."""

    name: str
    kind: str  # prefill or decode
    depth: int = 0

    def psi_args(self, threads: int) -> list[str]:
        sizes = ["--prompt", str(PROMPT)] if self.kind == "prefill" else ["--gen", str(GEN)]
        return ["--only", self.kind, *sizes, "--depth", str(self.depth), "--threads", str(threads), "--repeat", "1"]

    def llama_args(self, threads: int) -> list[str]:
        prompt, gen = (PROMPT, 0) if self.kind == "prefill" else (0, GEN)
        return ["-p", str(prompt), "-n", str(gen), "-d", str(self.depth), "-t", str(threads), "-r", "1"]

    def bar(self, quant: str) -> float:
        if self.kind == "prefill":
            return 3.0 if quant in QUANTISED else 1.6
        return 1.3 if self.depth else 1.15


TESTS = [Test("prefill", "prefill"), Test("decode", "decode"), Test("decode_deep", "decode", DEPTH)]
EXTRA_TESTS = ["busy", "load"]


@dataclass
class Row:
    """One line of the report."""

    model: str
    test: str
    unit: str
    psi: float | None = None
    peer: float | None = None
    ratio: float | None = None
    bar: str = ""
    held: bool | None = None
    share_of_roof: float | None = None
    note: str = ""
    samples: dict[str, list[float]] = field(default_factory=dict)


class Missing(Exception):
    """A measurement that could not be made, with the reason."""


@dataclass
class Finished:
    """What one child process left behind."""

    stdout: str
    seconds: float
    peak_bytes: int


def run(command: list[str]) -> Finished:
    """Run to the end; the peak is the kernel's figure for the process and its children (getrusage, as `time -v`)."""
    started = time.monotonic()
    try:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except OSError as e:
        raise Missing(f"{command[0]}: {e.strerror}") from e
    assert child.stdout and child.stderr
    # Both programs print a few kilobytes, so reading one pipe after the other cannot fill the second.
    stdout, stderr = child.stdout.read(), child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        last = (stderr.strip().splitlines() or ["no message"])[-1]
        raise Missing(f"{Path(command[0]).name} ended with {child.returncode}: {last[:200]}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Finished(stdout, seconds, usage.ru_maxrss * unit)


@contextmanager
def busy_neighbour(core: int) -> Iterator[None]:
    """A process that spins on one core for as long as the block runs."""
    code = f"import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    child = subprocess.Popen([sys.executable, "-c", code])
    try:
        time.sleep(0.3)  # let it start spinning before anything is timed
        yield
    finally:
        child.kill()
        child.wait()


class Bench:
    """The two programs and how to call them."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.psi_program, self.llama_program = str(args.psi), str(args.llama_bench)
        self.prefix = shlex.split(args.prefix)
        self.threads, self.rounds = args.threads, args.rounds
        self.flash_attn = args.flash_attn
        self.roof: dict[str, float] = {}

    def psi(self, model: Path, args: list[str], kind: str) -> dict:
        """The result called `kind` of one `psi bench` run."""
        done = run([*self.prefix, self.psi_program, "bench", "--model", str(model), "--json", *args])
        try:
            document = json.loads(done.stdout)
            self.roof = document.get("roof") or self.roof
            found = [r for r in document["results"] if kind in r["name"]]
        except (ValueError, KeyError, TypeError) as e:
            raise Missing(f"psi bench printed no usable JSON: {e}") from e
        if not found:
            raise Missing(f"psi bench has no result called {kind}")
        return found[0]

    def llama(self, model: Path, args: list[str]) -> dict[str, float]:
        """Tokens per second of one llama-bench run, by flash-attention setting."""
        done = run([*self.prefix, self.llama_program, "-m", str(model), "-o", "jsonl", "-fa", self.flash_attn, *args])
        rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        if not rows:
            raise Missing("llama-bench printed no rows")
        return {f"fa{int(row['flash_attn'])}": row["avg_ts"] for row in rows}

    def compare(self, model: Path, label: str, quant: str, test: Test) -> Row:
        """A B A B over the rounds, medians, ratio against the bar."""
        row = Row(label, test.name, "tokens/s", bar=f">= {test.bar(quant):.2f}x")
        shares = []
        for _ in range(self.rounds):
            result = self.psi(model, test.psi_args(self.threads), test.kind)
            row.samples.setdefault("psi", []).append(result["value"])
            shares.append(result.get("share_of_roof"))
            for key, value in self.llama(model, test.llama_args(self.threads)).items():
                row.samples.setdefault(key, []).append(value)
        row.psi = statistics.median(row.samples["psi"])
        row.peer = max(statistics.median(v) for k, v in row.samples.items() if k != "psi")
        row.ratio = row.psi / row.peer
        row.held = row.ratio >= test.bar(quant)
        known = [s for s in shares if s is not None]
        if known:
            row.share_of_roof = statistics.median(known)
            row.note = f"{row.share_of_roof:.0%} of roof"
        return row

    def busy(self, model: Path, label: str) -> list[Row]:
        """Decoding with all threads beside a spinning process, against one thread alone on the idle machine."""
        decode = Test("decode", "decode")
        psi = Row(label, "busy", "tokens/s", bar=">= 0.80x of 1 thread")
        peer = Row(label, "busy (llama.cpp)", "tokens/s", bar="for comparison")
        for _ in range(self.rounds):
            for row, one in ((psi, self._psi_value), (peer, self._llama_value)):
                row.samples.setdefault("alone_1", []).append(one(model, decode, 1))
                with busy_neighbour(max(os.sched_getaffinity(0))):
                    row.samples.setdefault("busy_all", []).append(one(model, decode, self.threads))
        for row in (psi, peer):
            both = {k: statistics.median(v) for k, v in row.samples.items()}
            row.ratio = both["busy_all"] / both["alone_1"]
            row.note = f"{both['busy_all']:.1f} busy, {both['alone_1']:.1f} alone on one thread"
        psi.psi = statistics.median(psi.samples["busy_all"])
        peer.peer = statistics.median(peer.samples["busy_all"])
        psi.held = psi.ratio is not None and psi.ratio >= 0.8
        return [psi, peer]

    def _psi_value(self, model: Path, test: Test, threads: int) -> float:
        return self.psi(model, test.psi_args(threads), test.kind)["value"]

    def _llama_value(self, model: Path, test: Test, threads: int) -> float:
        return max(self.llama(model, test.llama_args(threads)).values())

    def load(self, model: Path, label: str, quant: str) -> list[Row]:
        """Warm load time, and the peak memory of loading and decoding, as a share of the file."""
        seconds = [self.psi(model, ["--only", "load", "--threads", str(self.threads)], "load")["value"] for _ in range(3)]
        command = [self.psi_program, "generate", "--model", str(model), "--prompt", "a", "--raw", "--max-tokens", "2"]
        peak = run([*self.prefix, *command, "--temperature", "0"]).peak_bytes
        size = model.stat().st_size
        time_row = Row(label, "load", "s", psi=statistics.median(seconds), samples={"psi": seconds})
        if LARGE in label and quant == "q4_k_m":
            time_row.bar = "< 3 s"
            time_row.held = time_row.psi < 3.0
        memory = Row(label, "memory", "MiB", psi=peak / 2**20, note=f"{peak / size:.2f}x of the {size / 2**20:.0f} MiB file")
        return [time_row, memory]


def share_rows(row: Row, quant: str) -> list[Row]:
    """The bars on psi's own share of the roof: decoding reads the large model once per token, prefill is int8."""
    bars = {"decode": 0.85, "prefill": 0.45 if quant in QUANTISED else None}
    bar, share = bars.get(row.test), row.share_of_roof
    if bar is None or share is None or LARGE not in row.model:
        return []
    return [Row(row.model, f"{row.test}, share of roof", "share", psi=share, bar=f">= {bar:.0%}", held=share >= bar)]


def measure(bench: Bench, model: Path, wanted: set[str]) -> Iterator[Row]:
    """Every wanted row of one model; a failure becomes a row that says why."""
    label = model.stem.removeprefix("psi-")
    quant = label.split("-", 1)[1]
    jobs = [(t.name, lambda t=t: [bench.compare(model, label, quant, t)]) for t in TESTS]
    jobs += [("busy", lambda: bench.busy(model, label)), ("load", lambda: bench.load(model, label, quant))]
    for name, job in jobs:
        if name not in wanted:
            continue
        try:
            for row in job():
                yield row
                yield from share_rows(row, quant)
        except Missing as e:
            yield Row(label, name, "", held=False, note=f"missing: {e}")


def number(x: float | None) -> str:
    return "" if x is None else f"{x:.2f}" if abs(x) < 10 else f"{x:.1f}"


def line(row: Row) -> str:
    verdict = {True: "held", False: "MISSED", None: ""}[row.held]
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}x"
    cells = [row.model, row.test, number(row.psi), number(row.peer), row.unit, ratio, row.bar, verdict, row.note]
    return "| " + " | ".join(cells) + " |"


def machine() -> dict[str, str]:
    """Processor, cores and kernel, as the report names them."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [l.split(":", 1)[1].strip() for l in info.read_text().splitlines() if l.startswith("model name")]
        cpu = names[0] if names else cpu
    return {"cpu": cpu, "cores": str(os.cpu_count()), "system": f"{platform.system()} {platform.release()}"}


def parse_args() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--psi", type=Path, required=True, help="psi's binary (release build)")
    p.add_argument("--llama-bench", type=Path, required=True, help="llama-bench, see bench/llama_cpp.sh")
    p.add_argument("--models", type=Path, required=True, help="folder made by bench/make_models.py")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--only", default="", help="model files whose name contains one of these, comma-separated")
    names = [t.name for t in TESTS] + EXTRA_TESTS
    p.add_argument("--tests", default=",".join(names), help=f"of {', '.join(names)}")
    p.add_argument("--prefix", default="", help="command put before every measured process, such as 'nice -n -5'")
    p.add_argument("--flash-attn", default="0,1", help="llama.cpp's settings to try; the better median counts")
    p.add_argument("--json", type=Path, help="write everything, samples included, to this file")
    args = p.parse_args()
    unknown = [t for t in args.tests.split(",") if t not in names]
    if unknown:
        p.error(f"unknown test {unknown[0]}; known: {', '.join(names)}")
    for program in (args.psi, args.llama_bench):
        if not program.is_file():
            p.error(f"{program}: no such program")
    return args


def main() -> int:
    args = parse_args()
    models = sorted(args.models.glob("psi-*.gguf"))
    wanted = [m for m in models if any(part in m.name for part in args.only.split(","))]
    if not wanted:
        print(f"{args.models}: no psi-*.gguf to measure; make them with bench/make_models.py", file=sys.stderr)
        return 2
    bench = Bench(args)
    rows: list[Row] = []
    print("| model | test | psi | llama.cpp | unit | ratio | bar | | note |\n|---|---|--:|--:|---|--:|---|---|---|")
    for model in wanted:
        for row in measure(bench, model, set(args.tests.split(","))):
            rows.append(row)
            print(line(row), flush=True)
    missed = [r for r in rows if r.held is False]
    print(f"\n{len(rows)} rows, {len(missed)} missed or missing; {args.threads} threads, {args.rounds} rounds", file=sys.stderr)
    if args.json:
        document = {"machine": machine(), "threads": args.threads, "rounds": args.rounds, "roof": bench.roof}
        document["rows"] = [vars(r) for r in rows]
        args.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
