"""Hold psi's files and tokens against the reference Python packages, on a real checkpoint and on a wider random one.

    python cross_check.py PSI SHARED_DATA

GGUF files written by psi are read by the `gguf` package: the f32 one holds the reference file's tensors bit for bit; of the
quantised ones, the package's dequantised values equal psi's own (`psi convert` to f32). The random model is there because
the real one's rows are too short for the blocks of 256 of the K types. `psi tokenize` gives the ids that the `tokenizers` package gives. Exit status 1 with the first difference.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from gguf import GGUFReader, dequantize
from tokenizers import Tokenizer

sys.path.append(str(Path(__file__).parent.parent / "bench"))
import make_models  # noqa: E402  (lies in bench/)

WIDE = make_models.Shape("wide", d_model=256, n_layers=2, n_heads=8, n_kv_heads=2, d_ff=768, vocab_size=1024, rope_base=1e4)
DTYPES = ("f16", "bf16", "q8_0", "q4_0", "q4_k", "q5_k", "q6_k", "q4_k_m")
TEXTS = ["", "Once upon a time", " two  spaces\n\nand lines", "naïve café — 東京 🙂", "1234567 3.14", "<s> is text"]


def tensors(path: Path) -> dict[str, np.ndarray]:
    """Every tensor of a GGUF file as f32, by name."""
    return {t.name: dequantize(t.data, t.tensor_type).reshape(-1) for t in GGUFReader(path).tensors}


def assert_same_bits(label: str, got: dict[str, np.ndarray], want: dict[str, np.ndarray]) -> None:
    assert got.keys() == want.keys(), f"{label}: tensors differ: {sorted(got.keys() ^ want.keys())}"
    for name, expected in want.items():
        a, b = got[name].view(np.uint32), expected.view(np.uint32)
        assert a.shape == b.shape, f"{label}: {name} has {a.size} values instead of {b.size}"
        differing = np.flatnonzero(a != b)
        assert differing.size == 0, f"{label}: {name} differs at {differing[0]}: {got[name][differing[0]]!r}"


def check_gguf(psi: str, folder: Path, reference: Path, work: Path) -> set[str]:
    """Convert a folder to every type; returns the names of the types that occurred."""

    def convert(source: Path, name: str, dtype: str) -> Path:
        target = work / name
        subprocess.run([psi, "convert", source, target, "--dtype", dtype], check=True, stderr=subprocess.DEVNULL)
        return target

    plain = convert(folder, "f32.gguf", "f32")
    assert_same_bits("f32", tensors(plain), tensors(reference))
    seen = set()
    for dtype in DTYPES:
        quantised = convert(folder, f"{dtype}.gguf", dtype)
        types = {t.tensor_type.name for t in GGUFReader(quantised).tensors}
        assert types != {"F32"}, f"{dtype}: nothing was quantised"
        assert_same_bits(dtype, tensors(convert(quantised, f"{dtype}-f32.gguf", "f32")), tensors(quantised))
        print(f"{reference.stem}, {dtype}: {', '.join(sorted(types))} read back equal")
        seen |= types
    return seen


def check_tokens(psi: str, model: Path) -> None:
    reference = Tokenizer.from_file(str(model / "tokenizer.json"))
    for text in TEXTS:
        command = [psi, "tokenize", "--model", model, "--json", "--", text]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        got, want = json.loads(done.stdout)["ids"], reference.encode(text).ids
        assert got == want, f"tokens of {text!r}: {got} instead of {want}"
    print(f"{len(TEXTS)} texts: tokens equal")


def main() -> None:
    psi, model = sys.argv[1], Path(sys.argv[2]) / "models" / "stories260K"
    with tempfile.TemporaryDirectory() as work:
        check_gguf(psi, model / "hf", model / "stories260K-f32.gguf", Path(work))
    with tempfile.TemporaryDirectory() as work:
        make_models.write_model(WIDE, Path(work), seed=3)
        seen = check_gguf(psi, Path(work) / "wide-hf", Path(work) / "wide-bf16.gguf", Path(work))
        assert {"Q4_K", "Q5_K", "Q6_K"} <= seen, f"only {sorted(seen)} occurred"
    check_tokens(psi, model / "hf")


if __name__ == "__main__":
    try:
        main()
    except AssertionError as difference:
        sys.exit(f"cross check: {difference}")
