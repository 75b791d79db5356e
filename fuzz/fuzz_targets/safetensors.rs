//! Opens arbitrary bytes as a safetensors file; what opens covers its data exactly.
#![no_main]

use std::hint::black_box;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use psi_store::SafeTensors;

fuzz_target!(|data: &[u8]| {
    let st = match SafeTensors::from_bytes(Path::new("fuzz.safetensors"), data.to_vec()) {
        Ok(st) => st,
        Err(e) => {
            assert!(e.to_string().len() < 2000, "a message is one line, not the file");
            black_box(e.hint());
            return;
        }
    };
    let mut sum = 0;
    for t in st.tensors() {
        assert_eq!(t.dtype.checked_shape_bytes(t.shape), Some(t.data.len()));
        assert_eq!(st.tensor(t.name).map(|u| u.shape), Some(t.shape));
        black_box((t.n_elements(), t.data.first(), t.data.last()));
        sum += t.data.len();
    }
    let header = data.first_chunk::<8>().map(|n| u64::from_le_bytes(*n) as usize);
    assert_eq!(header.map(|n| 8 + n + sum), Some(data.len()), "no hole, no overlap, no rest");
});
