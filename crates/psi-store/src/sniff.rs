//! Guesses what a file really is from its first bytes and its name, so that a refusal can say so.

use std::path::Path;

use crate::error::{Result, StoreError};

const CONVERT: &str = "psi loads safetensors and GGUF only, because unpickling a file runs code \
     from it; get the safetensors version of the model, or convert it with a tool you trust";

/// Refuses what can be told from the extension alone: pickled weights.
pub(crate) fn refuse_by_name(path: &Path) -> Result<()> {
    let ext = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    match ext.as_str() {
        "pt" | "pth" | "bin" | "ckpt" | "pkl" | "pickle" | "t7" => {
            let what =
                format!("'.{ext}' files hold pickled or raw weights, which psi does not load");
            Err(StoreError::unsupported(path, what, CONVERT))
        }
        "h5" | "msgpack" | "onnx" | "npz" | "ot" => {
            let what = format!("'.{ext}' files are not loaded");
            Err(StoreError::unsupported(path, what, CONVERT))
        }
        _ => Ok(()),
    }
}

/// What the first bytes say the file is, if it is something else than `expected` ("GGUF",
/// "safetensors").
pub(crate) fn refuse_by_content(path: &Path, bytes: &[u8], expected: &str) -> Option<StoreError> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let is_pickle = matches!(bytes, [0x80, 2..=5, ..]);
    let (what, hint) = if bytes.is_empty() {
        ("the file is empty", "the download may have failed: fetch the file again")
    } else if starts(b"version https://git-lfs") {
        ("a Git LFS pointer, not the file itself", "run `git lfs pull`, or `psi pull ORG/NAME`")
    } else if starts(b"<!") || starts(b"<html") || starts(b"<HTML") {
        ("a web page, not a model", "the download link led to an error or login page")
    } else if starts(b"PK\x03\x04") {
        ("a zip archive: pickled PyTorch weights, by the look of it", CONVERT)
    } else if is_pickle {
        ("a Python pickle", CONVERT)
    } else if starts(b"GGUF") && expected != "GGUF" {
        ("a GGUF file under another name", "rename it to end in .gguf")
    } else if starts(b"ggjt") || starts(b"tjgg") || starts(b"lmgg") || starts(b"fmgg") {
        ("an old GGML file from before GGUF", "get the GGUF version of the model")
    } else if starts(b"\x89HDF") {
        ("an HDF5 file", CONVERT)
    } else if expected == "GGUF" && bytes.len() > 9 && bytes[8] == b'{' {
        ("a safetensors file, by the look of it", "rename it to end in .safetensors")
    } else {
        return None;
    };
    Some(StoreError::unsupported(path, format!("not a {expected} file but {what}"), hint))
}
