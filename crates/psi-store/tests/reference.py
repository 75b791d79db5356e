"""Reads and writes model files with the reference packages, for tests/formats.rs.

    reference.py read FILE...      one JSON object per line: metadata and tensors, data as SHA-256
    reference.py write DIR         files for psi to read: np.safetensors, v3.gguf
"""

import hashlib
import json
import struct
import sys


def digest(data) -> str:
    return hashlib.sha256(bytes(data)).hexdigest()


def read_safetensors(path):
    from safetensors import safe_open

    raw = open(path, "rb").read()
    (n,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + n])
    tensors = {}
    with safe_open(path, framework="numpy") as f:
        metadata = f.metadata() or {}
        for name in f.keys():
            entry = header[name]
            shape = list(f.get_slice(name).get_shape())
            begin, end = entry["data_offsets"]
            tensors[name] = [entry["dtype"], shape, digest(raw[8 + n + begin : 8 + n + end])]
    return {"metadata": metadata, "tensors": tensors}


def read_gguf(path):
    import gguf

    reader = gguf.GGUFReader(path)
    metadata = {}
    for field in reader.fields.values():
        if field.name.startswith("GGUF."):
            continue
        value = field.contents()
        if len(field.types) > 1:
            blob = "\0".join(str(v) if isinstance(v, str) else repr(v) for v in value)
            metadata[field.name] = [field.types[-1].name, len(value), digest(blob.encode())]
        else:
            metadata[field.name] = [field.types[0].name, value if isinstance(value, (str, bool)) else repr(value)]
    tensors = {}
    for t in reader.tensors:
        shape = [int(d) for d in reversed(t.shape)]
        tensors[t.name] = [t.tensor_type.name, shape, digest(t.data.tobytes())]
    version = int(reader.fields["GGUF.version"].parts[-1][0])
    return {"version": version, "metadata": metadata, "tensors": tensors}


def write(folder):
    import gguf
    import numpy as np
    from safetensors.numpy import save_file

    rng = np.random.default_rng(7)
    save_file(
        {
            "a.f32": rng.standard_normal((3, 5)).astype(np.float32),
            "b.f16": rng.standard_normal((7,)).astype(np.float16),
            "c.i64": np.arange(4, dtype=np.int64).reshape(2, 2),
            "d.bool": np.array([True, False, True]),
            "e.scalar": np.array(2.5, dtype=np.float64),
            "f.empty": np.zeros((0, 3), dtype=np.float32),
            "g.u8": np.arange(9, dtype=np.uint8),
            "na\u00efve \"name\"": np.arange(3, dtype=np.int8),
        },
        f"{folder}/np.safetensors",
        metadata={"format": "np", "note": "\u00e4 \"quoted\" \\ text"},
    )

    w = gguf.GGUFWriter(f"{folder}/v3.gguf", "llama")
    w.add_uint8("t.u8", 200)
    w.add_int8("t.i8", -100)
    w.add_uint16("t.u16", 60000)
    w.add_int16("t.i16", -30000)
    w.add_uint32("t.u32", 4000000000)
    w.add_int32("t.i32", -2000000000)
    w.add_uint64("t.u64", 2**64 - 1)
    w.add_int64("t.i64", -(2**63))
    w.add_float32("t.f32", 0.15625)
    w.add_float64("t.f64", 1.0 / 3.0)
    w.add_bool("t.bool", True)
    w.add_string("t.str", "caf\u00e9 \U0001f980")
    w.add_array("t.strs", ["a", "", "\u00df"])
    w.add_array("t.ints", [1, -2, 3])
    w.add_array("t.floats", [0.5, -0.25])
    w.add_custom_alignment(64)
    w.add_tensor("w.f32", rng.standard_normal((4, 6)).astype(np.float32))
    w.add_tensor("w.f16", rng.standard_normal((5,)).astype(np.float16))
    x = rng.standard_normal((3, 512)).astype(np.float32)
    for q in (gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.BF16):
        w.add_tensor(f"w.{q.name}", gguf.quants.quantize(x, q), raw_dtype=q)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2])
    else:
        for p in sys.argv[2:]:
            print(json.dumps(read_gguf(p) if p.endswith(".gguf") else read_safetensors(p)))
