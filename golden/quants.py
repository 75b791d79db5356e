"""Reference data of GGML's block formats: random blocks with the f32 values the `gguf` package reads
from them, and for one f32 matrix the bytes and errors of llama.cpp's quantisers.

Writes `quants/<TYPE>.in` (raw blocks), `quants/<TYPE>.out` (f32, little-endian) and
`quants/index.json`. With `LLAMA_CPP_SRC` naming a llama.cpp source tree and a C compiler it also
writes `quants/<TYPE>.ref` (the quantised `quants/matrix.f32`) and `quants/reference.json` (RMSE per row).
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
    return owned


if __name__ == "__main__":
    regenerate.run(build, Path(__file__).resolve().parent, __doc__)
