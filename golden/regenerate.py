"""What the golden scripts share: the command line, and the comparison behind `--check`."""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

# Floats made by another CPU or thread count may differ in the last bits; these are far below the
# 2e-4 that psi's tests allow.
REL_TOL = 2e-5
# Facts about the run, not about the arithmetic.
IGNORED_JSON_KEYS = {"f32_error", "min_greedy_gap", "min_router_gap"}


def run(build: Callable[[Path], list[str]], here: Path, doc: str) -> None:
    """Parses `--out DIR` and `--check`, then calls `build(out)`, which returns the paths (files or
    folders, relative to `out`) that it owns."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--out", type=Path, default=here, help="folder to write to (default: beside the script)")
    parser.add_argument("--check", action="store_true", help="build in a temporary folder and compare with --out")
    args = parser.parse_args()
    if not args.check:
        args.out.mkdir(parents=True, exist_ok=True)
        build(args.out)
        return
    with tempfile.TemporaryDirectory() as tmp:
        owned = build(Path(tmp))
        problems = [p for name in owned for p in compare(Path(tmp) / name, args.out / name)]
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{'FAILED' if problems else 'ok'}: {len(owned)} fixtures compared, {len(problems)} differences")
    sys.exit(1 if problems else 0)


def compare(new: Path, old: Path) -> list[str]:
    """Differences between two files or folders, one line each."""
    if new.is_dir():
        names = {p.relative_to(new) for p in new.rglob("*") if p.is_file()}
        there = {p.relative_to(old) for p in old.rglob("*") if p.is_file()} if old.is_dir() else set()
        lines = [f"{old / n}: missing" for n in sorted(names - there)]
        lines += [f"{old / n}: nothing makes this file" for n in sorted(there - names)]
        return lines + [line for n in sorted(names & there) for line in compare(new / n, old / n)]
    if not old.is_file():
        return [f"{old}: missing"]
    if new.suffix == ".json":
        return _compare_json(json.loads(new.read_text()), json.loads(old.read_text()), str(old))
    if new.suffix == ".safetensors":
        return _compare_safetensors(new, old)
    return [] if new.read_bytes() == old.read_bytes() else [f"{old}: bytes differ"]


def _compare_json(new: object, old: object, where: str) -> list[str]:
    if isinstance(new, dict) and isinstance(old, dict):
        keys = (set(new) | set(old)) - IGNORED_JSON_KEYS
        missing = [f"{where}.{k}: only on one side" for k in sorted(keys) if (k in new) != (k in old)]
        both = [k for k in sorted(keys) if k in new and k in old]
        return missing + [line for k in both for line in _compare_json(new[k], old[k], f"{where}.{k}")]
    if isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        return [line for i, (n, o) in enumerate(zip(new, old)) for line in _compare_json(n, o, f"{where}[{i}]")]
    if isinstance(new, float) and isinstance(old, float) and math.isclose(new, old, rel_tol=REL_TOL):
        return []
    return [] if new == old else [f"{where}: {new!r} is not {old!r}"]


def _compare_safetensors(new: Path, old: Path) -> list[str]:
    from safetensors.torch import load_file

    a, b = load_file(new), load_file(old)
    if set(a) != set(b):
        return [f"{old}: tensor names differ: {sorted(set(a) ^ set(b))}"]
    lines = []
    for name in sorted(a):
        x, y = a[name], b[name]
        if x.dtype != y.dtype or x.shape != y.shape:
            lines.append(f"{old}: {name}: {x.dtype} {tuple(x.shape)} is not {y.dtype} {tuple(y.shape)}")
            continue
        x, y = x.double().numpy(), y.double().numpy()
        if x.size and np.abs(x - y).max() > REL_TOL * max(np.abs(y).max(), 1e-30):
            lines.append(f"{old}: {name}: off by {np.abs(x - y).max():.3e}, largest {np.abs(y).max():.3e}")
    return lines
