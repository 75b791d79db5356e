//! Opens arbitrary bytes as a GGUF file and reads everything that opened.
#![no_main]

use std::hint::black_box;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use psi_store::{Gguf, gguf::Value};

fuzz_target!(|data: &[u8]| {
    let gguf = match Gguf::from_bytes(Path::new("fuzz.gguf"), data.to_vec()) {
        Ok(gguf) => gguf,
        Err(e) => {
            assert!(e.to_string().len() < 2000, "a message is one line, not the file");
            black_box(e.hint());
            return;
        }
    };
    for (key, value) in gguf.metadata() {
        assert_eq!(gguf.get(key).map(|v| v.kind()), Some(value.kind()));
        if let Value::Array(a) = value {
            match a.strings() {
                Some(strings) => assert_eq!(strings.map(black_box).count(), a.len()),
                None => {
                    assert_eq!(a.values().into_iter().flatten().map(black_box).count(), a.len())
                }
            }
            black_box((a.to_f32s(), a.to_i64s(), a.to_u64s(), a.to_bools()));
        }
        black_box(
            (gguf.opt_str(key), gguf.opt_u32(key), gguf.opt_f32(key), gguf.opt_bool(key)).0.is_ok(),
        );
        black_box((gguf.opt_strs(key), gguf.opt_u64_or_array(key)).0.is_ok());
    }
    for t in gguf.tensors() {
        assert_eq!(t.dtype.checked_shape_bytes(t.shape), Some(t.data.len()));
        assert_eq!(gguf.tensor(t.name).map(|u| u.data.as_ptr()), Some(t.data.as_ptr()));
        black_box((t.n_elements(), t.data.first(), t.data.last()));
    }
});
