//! The text of PDF files, page by page, with limits: a PDF is a program that somebody else wrote.

use std::{
    io::Read,
    panic::{self, AssertUnwindSafe},
    sync::mpsc,
    thread,
    time::Duration,
};

use flate2::read::ZlibDecoder;
use pdf_extract::{Document, PlainTextOutput, output_doc_page};

/// Most bytes that all streams of a file may unfold to.
const MAX_UNFOLDED: u64 = 256 << 20;
/// Streams compressed more than so often are made to unfold without end.
const MAX_FOLDS: usize = 2;
const MAX_PAGES: usize = 5_000;
const MAX_TEXT_BYTES: usize = 16 << 20;
const MAX_TIME: Duration = Duration::from_secs(60);
const STACK_BYTES: usize = 64 << 20;

/// The text of each page.
///
/// # Errors
/// A sentence: not a PDF, encrypted, over a limit.
pub(super) fn pages(bytes: &[u8]) -> Result<Vec<String>, String> {
    if !bytes.starts_with(b"%PDF-") {
        return Err("not a PDF file".to_owned());
    }
    let n_unfolded = unfolded(bytes);
    if n_unfolded > MAX_UNFOLDED {
        return Err(format!("its content unfolds to more than {MAX_UNFOLDED} bytes"));
    }
    let (bytes, (send, receive)) = (bytes.to_owned(), mpsc::channel());
    // A thread of its own, for its stack and so that it can be left behind: a page that draws itself never ends.
    let worker = thread::Builder::new().name("psi-pdf".to_owned()).stack_size(STACK_BYTES);
    let work = move || {
        let read = panic::catch_unwind(AssertUnwindSafe(|| read_pages(&bytes)));
        let result = read.unwrap_or_else(|_| Err("its structure cannot be read".to_owned()));
        // The receiver is gone when this took too long; then nobody wants the result.
        let _ = send.send(result);
    };
    worker.spawn(work).map_err(|e| format!("starting a thread: {e}"))?;
    receive.recv_timeout(MAX_TIME).unwrap_or_else(|_| Err("reading it takes too long".to_owned()))
}

fn read_pages(bytes: &[u8]) -> Result<Vec<String>, String> {
    let mut document = Document::load_mem(bytes).map_err(|e| e.to_string())?;
    if document.is_encrypted() {
        document.decrypt("").map_err(|_| "it is encrypted with a password".to_owned())?;
    }
    let numbers: Vec<u32> = document.get_pages().into_keys().collect();
    if numbers.len() > MAX_PAGES {
        return Err(format!("it has {} pages; at most {MAX_PAGES} are read", numbers.len()));
    }
    let (mut pages, mut n_bytes) = (Vec::new(), 0);
    for number in numbers {
        let mut text = String::new();
        let mut output = PlainTextOutput::new(&mut text);
        output_doc_page(&document, &mut output, number)
            .map_err(|e| format!("page {number}: {e}"))?;
        n_bytes += text.len();
        if n_bytes > MAX_TEXT_BYTES {
            return Err(format!("it has more than {MAX_TEXT_BYTES} bytes of text"));
        }
        pages.push(text);
    }
    Ok(pages)
}

/// How many bytes all streams together unfold to, counted without holding them: whatever a stream's dictionary says, its bytes
/// are tried as compressed ones, and what comes out again.
fn unfolded(bytes: &[u8]) -> u64 {
    const MARK: &[u8] = b"stream";
    let mut total = 0;
    for at in memchr::memmem::find_iter(bytes, MARK) {
        let rest = &bytes[at + MARK.len()..];
        let body = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")).unwrap_or(rest);
        for folds in 1.. {
            let n = n_unfolded(body, folds, MAX_UNFOLDED + 1);
            total += n;
            if n == 0 || total > MAX_UNFOLDED {
                break;
            }
            if folds > MAX_FOLDS {
                return MAX_UNFOLDED + 1;
            }
        }
        if total > MAX_UNFOLDED {
            break;
        }
    }
    total
}

/// How many bytes come out, at most `limit`, when what was compressed `folds` times is unfolded.
fn n_unfolded(folded: &[u8], folds: usize, limit: u64) -> u64 {
    let mut out: Box<dyn Read + '_> = Box::new(folded);
    for _ in 0..folds {
        out = Box::new(ZlibDecoder::new(out));
    }
    let (mut out, mut n, mut buffer) = (out.take(limit), 0, vec![0; 16 << 10]);
    // An error ends the stream: what came before it counts.
    while let Ok(read @ 1..) = out.read(&mut buffer) {
        n += read as u64;
    }
    n
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::knowledge::tests::pdf;

    fn folded(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn the_text_of_each_page_is_read() {
        let pages = pages(&pdf(&["Steep the tea", "for three minutes"])).unwrap();
        assert_eq!(pages.len(), 2);
        assert!(
            pages[0].contains("Steep the tea") && pages[1].contains("for three minutes"),
            "{pages:?}"
        );
    }

    #[test]
    fn what_is_no_pdf_or_broken_is_an_error() {
        for bytes in [
            b"".as_slice(),
            b"hello",
            b"%PDF-1.7",
            b"%PDF-1.7\ntrailer <</Root 1 0 R>>\nstartxref\n9\n%%EOF",
        ] {
            assert!(pages(bytes).is_err(), "{bytes:?}");
        }
        let whole = pdf(&["Steep the tea"]);
        for n in (0..whole.len()).step_by(7) {
            // Half a file may have text or not; what counts is that it ends.
            let _ = pages(&whole[..n]);
        }
    }

    /// T33: a stream of a few kilobytes that unfolds to gigabytes, once and twice compressed.
    #[test]
    fn t33_a_pdf_that_unfolds_without_end_is_refused() {
        let zeros = folded(&vec![0; 16 << 20]);
        let bomb =
            [b"%PDF-1.7\n1 0 obj <<>> stream\n".as_slice(), &folded(&folded(&vec![0; 64 << 20]))]
                .concat();
        assert!(unfolded(&bomb) > 64 << 20);
        let many: Vec<u8> =
            (0..20).flat_map(|_| [b"stream\r\n".as_slice(), &zeros].concat()).collect();
        let many = [b"%PDF-1.7\n".to_vec(), many].concat();
        assert!(many.len() < 1 << 20);
        assert!(pages(&many).is_err_and(|e| e.contains("unfolds")));
        let thrice = folded(&folded(&folded(&folded(b"x"))));
        assert!(
            pages(&[b"%PDF-1.7\nstream\n".as_slice(), &thrice].concat())
                .is_err_and(|e| e.contains("unfolds"))
        );
    }
}
