"""Reference data of GGML's block formats: random blocks with the f32 values the `gguf` package reads
from them, and for one f32 matrix the bytes and errors of llama.cpp's quantisers.

Writes `quants/<TYPE>.in` (raw blocks), `quants/<TYPE>.out` (f32, little-endian) and
`quants/index.json`. With `LLAMA_CPP_SRC` naming a llama.cpp source tree and a C compiler it also
writes `quants/<TYPE>.ref` (the quantised `quants/matrix.f32`) and `quants/reference.json` (RMSE per row).
With `LLAMA_QUANTIZE` naming llama.cpp's `llama-quantize` it also writes `quants/mixes.json`: the type
that the mixed formats give every tensor of a few model shapes.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import tempfile
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

import regenerate

SEED = 20260
# type -> byte offsets of its f16 fields within a block; None: the elements are the floats.
F16_FIELDS: dict[T, list[int] | None] = {
    T.F16: None, T.BF16: None,
    T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0],
    T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208],
    T.IQ4_NL: [0], T.IQ4_XS: [0], T.MXFP4: [],
}
# +0, -0, smallest and largest denormal, smallest normal, one, minus one, largest, minus largest.
EDGES_F16 = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF]
EDGES_E8M0 = [0, 1, 2, 3, 126, 127, 128, 253, 254, 255]
NON_FINITE_F16, NON_FINITE_BF16 = [0x7C00, 0xFC00, 0x7E00], [0x7F80, 0xFF80, 0x7FC0]

ROWS = ["normal", "normal, 0.02", "heavy tail", "constant", "zeros", "one outlier", "uniform 0..1", "sparse"]
COLUMNS = 512


def random_blocks(kind: T, rng: np.random.Generator) -> np.ndarray:
    """Valid blocks as (n, bytes): the first ones carry the edge scales, the rest random ones, and
    two have all bits of the payload zero and one."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    fields = F16_FIELDS[kind]
    if fields is None:
        extra = NON_FINITE_F16 if kind == T.F16 else NON_FINITE_BF16
        words = np.concatenate([EDGES_F16, extra, rng.integers(0, 0x7BFF, 240), rng.integers(0x8000, 0xFBFF, 240)])
        return words.astype("<u2").view(np.uint8).reshape(-1, 2)
    n = len(EDGES_F16) + (4 if elements == 256 else 12)
    blocks = rng.integers(0, 256, (n, size), dtype=np.uint8)
    blocks[-1], blocks[-2] = 0xFF, 0x00
    if kind == T.MXFP4:
        blocks[:, 0] = np.concatenate([EDGES_E8M0, rng.integers(110, 130, n - len(EDGES_E8M0))])
    for i, at in enumerate(fields):
        scales = rng.standard_normal(n).astype(np.float16)
        scales[: len(EDGES_F16)] = np.roll(np.array(EDGES_F16, np.uint16), 3 * i).view(np.float16)
        blocks[:, at : at + 2] = scales.astype("<f2").view(np.uint8).reshape(n, 2)
    return blocks


def test_matrix(rng: np.random.Generator) -> np.ndarray:
    rows = np.zeros((len(ROWS), COLUMNS), np.float64)
    rows[0] = rng.standard_normal(COLUMNS)
    rows[1] = 0.02 * rng.standard_normal(COLUMNS)
    rows[2] = rng.standard_normal(COLUMNS) / (0.1 + np.abs(rng.standard_normal(COLUMNS)))
    rows[3] = 0.7371
    rows[5] = 0.1 * rng.standard_normal(COLUMNS)
    rows[5, 133] = -40.0
    rows[6] = rng.random(COLUMNS)
    rows[7] = rng.standard_normal(COLUMNS) * (rng.random(COLUMNS) < 0.1)
    return rows.astype("<f4")


def rmse(kind: T, data: bytes, matrix: np.ndarray) -> list[float]:
    """Root of the mean squared error of each row after reading the bytes back, in f64."""
    back = gguf.dequantize(np.frombuffer(data, np.uint8).reshape(len(matrix), -1), kind)
    return np.sqrt(((back.astype(np.float64) - matrix) ** 2).mean(axis=1)).tolist()


# The quantisers need four symbols of the rest of ggml; these stand in for them.
STUBS = r"""
#include <stdint.h>
#include <stdlib.h>
#include <stddef.h>
size_t psi_row_bytes = 0;
void ggml_abort(const char * f, int l, const char * m, ...) { (void) f; (void) l; (void) m; abort(); }
size_t ggml_row_size(int t, int64_t n) { (void) t; (void) n; return psi_row_bytes; }
size_t ggml_type_size(int t) { (void) t; return 0; }
const char * ggml_type_name(int t) { (void) t; return ""; }
"""


def compile_quantizers(source: Path, folder: Path) -> ctypes.CDLL:
    """llama.cpp's `ggml-quants.c` as a shared library, without contraction to fused multiply-adds."""
    (folder / "stubs.c").write_text(STUBS)
    library = folder / "quants.so"
    subprocess.run(
        ["cc", "-O2", "-ffp-contract=off", "-shared", "-fPIC", f"-I{source}/ggml/include", f"-I{source}/ggml/src",
         str(source / "ggml/src/ggml-quants.c"), str(folder / "stubs.c"), "-lm", "-o", str(library)],
        check=True,
    )
    return ctypes.CDLL(str(library))


def reference_bytes(library: ctypes.CDLL, kind: T, matrix: np.ndarray) -> bytes:
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    if kind in (T.F16, T.BF16):
        return gguf.quantize(matrix, kind).tobytes()
    row = matrix.shape[1] // elements * size
    ctypes.c_size_t.in_dll(library, "psi_row_bytes").value = row
    out = ctypes.create_string_buffer(row * len(matrix))
    quantize = getattr(library, "quantize_" + kind.name.lower().replace("_k", "_K"))
    quantize.restype = ctypes.c_size_t
    quantize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
    source = np.ascontiguousarray(matrix)
    # No importance matrix.
    quantize(source.ctypes.data, ctypes.addressof(out), len(matrix), matrix.shape[1], None)
    return out.raw


def python_bytes(kind: T, matrix: np.ndarray) -> bytes | None:
    try:
        return gguf.quantize(matrix, kind).tobytes()
    except NotImplementedError:
        return None


def write_reference(source: Path, folder: Path, matrix: np.ndarray) -> list[str]:
    report: dict = dict(rows=ROWS, columns=COLUMNS, types={})
    with tempfile.TemporaryDirectory() as tmp:
        library = compile_quantizers(source, Path(tmp))
        for kind in F16_FIELDS:
            data = reference_bytes(library, kind, matrix)
            (folder / f"{kind.name}.ref").write_bytes(data)
            python = python_bytes(kind, matrix)
            report["types"][kind.name] = dict(
                rmse=rmse(kind, data, matrix),
                gguf_package="none" if python is None else "same bytes" if python == data else rmse(kind, python, matrix),
            )
    (folder / "reference.json").write_text(json.dumps(report, indent=1) + "\n")
    return ["quants/reference.json"] + [f"quants/{k.name}.ref" for k in F16_FIELDS]


# name, architecture, layers, width, heads, KV heads, d_ff, experts, tied
SHAPES = [
    ("2 layers", "llama", 2, 256, 4, 2, 512, 0, True),
    ("8 layers", "llama", 8, 256, 4, 4, 256, 0, False),
    ("16 layers, tied, like 1.2B", "llama", 16, 256, 4, 1, 512, 0, True),
    ("30 layers of 576, tied, like 135M", "llama", 30, 576, 9, 3, 1536, 0, True),
    ("28 layers", "qwen3", 28, 256, 4, 2, 256, 0, False),
    ("d_ff 288", "llama", 4, 256, 4, 2, 288, 0, False),
    ("4 experts", "llama", 4, 256, 4, 2, 256, 4, False),
    ("8 experts", "llama", 4, 256, 4, 2, 256, 8, False),
]
MIXES = ["Q4_K_M", "Q4_K_S", "Q5_K_M", "Q6_K", "Q8_0", "Q4_0"]


def write_shape(path: Path, arch: str, layers: int, d: int, heads: int, kv: int, ff: int, experts: int, tied: bool) -> None:
    """A GGUF of the given shape with small random weights."""
    rng, vocab, writer = np.random.default_rng(SEED), 32, gguf.GGUFWriter(path, arch)
    writer.add_block_count(layers)
    writer.add_context_length(64)
    writer.add_embedding_length(d)
    writer.add_feed_forward_length(ff)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(vocab)
    writer.add_file_type(0)
    if experts:
        writer.add_expert_count(experts)
        writer.add_expert_used_count(2)
    writer.add_tokenizer_model("none")
    add = lambda name, *shape: writer.add_tensor(name, (0.1 * rng.standard_normal(shape)).astype(np.float32))
    add("token_embd.weight", vocab, d)
    for i in range(layers):
        b, one = f"blk.{i}.", (experts,) if experts else ()
        add(b + "attn_norm.weight", d)
        add(b + "attn_q.weight", d, d)
        add(b + "attn_k.weight", d // heads * kv, d)
        add(b + "attn_v.weight", d // heads * kv, d)
        add(b + "attn_output.weight", d, d)
        if arch == "qwen3":
            add(b + "attn_q_norm.weight", d // heads)
            add(b + "attn_k_norm.weight", d // heads)
        add(b + "ffn_norm.weight", d)
        suffix = "_exps.weight" if experts else ".weight"
        if experts:
            add(b + "ffn_gate_inp.weight", experts, d)
        add(b + "ffn_gate" + suffix, *one, ff, d)
        add(b + "ffn_up" + suffix, *one, ff, d)
        add(b + "ffn_down" + suffix, *one, d, ff)
    add("output_norm.weight", d)
    if not tied:
        add("output.weight", vocab, d)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_mixes(program: str, folder: Path) -> list[str]:
    """Per shape and mix: the type of each tensor, per-layer tensors as a list over the layers."""
    report = []
    with tempfile.TemporaryDirectory() as tmp:
        for name, arch, layers, d, heads, kv, ff, experts, tied in SHAPES:
            source, entry = Path(tmp) / "f32.gguf", dict(name=name, arch=arch, layers=layers, d_model=d, n_heads=heads,
                                                         n_kv_heads=kv, d_ff=ff, experts=experts, tied=tied, mixes={})
            write_shape(source, arch, layers, d, heads, kv, ff, experts, tied)
            for mix in MIXES:
                target = Path(tmp) / "mix.gguf"
                done = subprocess.run([program, str(source), str(target), mix, "1"], capture_output=True, text=True)
                assert done.returncode == 0, done.stderr[-2000:]
                types: dict = {}
                reader = gguf.GGUFReader(target)
                found = {t.name: t.tensor_type.name for t in reader.tensors}
                for tensor in sorted(found, key=lambda n: (len(n.split(".")), n)):
                    parts = tensor.split(".")
                    if parts[0] != "blk":
                        types[tensor] = found[tensor]
                    elif parts[1] == "0":
                        rest = ".".join(parts[2:])
                        kinds = [found[f"blk.{i}.{rest}"] for i in range(layers)]
                        types[f"blk.*.{rest}"] = kinds[0] if len(set(kinds)) == 1 else kinds
                entry["mixes"][mix] = dict(file_type=int(reader.fields["general.file_type"].contents()), types=types)
            report.append(entry)
    lines = ",\n ".join(json.dumps(entry) for entry in report)
    (folder / "mixes.json").write_text(f"[{lines}]\n")
    return ["quants/mixes.json"]


def build(out: Path) -> list[str]:
    folder = out / "quants"
    folder.mkdir(parents=True, exist_ok=True)
    owned, index = ["quants/index.json", "quants/matrix.f32"], {}
    for kind in F16_FIELDS:
        blocks = random_blocks(kind, np.random.default_rng([SEED, int(kind)]))
        with np.errstate(over="ignore", invalid="ignore"):
            values = gguf.dequantize(blocks.reshape(1, -1), kind).reshape(-1).astype("<f4")
        (folder / f"{kind.name}.in").write_bytes(blocks.tobytes())
        (folder / f"{kind.name}.out").write_bytes(values.tobytes())
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        index[kind.name] = dict(ggml_type=int(kind), block_elements=elements, block_bytes=size, blocks=len(blocks))
        owned += [f"quants/{kind.name}.in", f"quants/{kind.name}.out"]
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n")
    matrix = test_matrix(np.random.default_rng(SEED))
    (folder / "matrix.f32").write_bytes(matrix.tobytes())
    if source := os.environ.get("LLAMA_CPP_SRC"):
        owned += write_reference(Path(source), folder, matrix)
    else:
        print("skipped the quantisers: LLAMA_CPP_SRC does not name a llama.cpp source tree")
    if program := os.environ.get("LLAMA_QUANTIZE"):
        owned += write_mixes(program, folder)
    else:
        print("skipped the mixes: LLAMA_QUANTIZE does not name the llama-quantize program")
    return owned


if __name__ == "__main__":
    regenerate.run(build, Path(__file__).resolve().parent, __doc__)
