//! The rows that are only evaluated.

use super::config::Packing;
use super::error::Result;
use super::loader::Loader;
use super::rows::Rows;
use super::source::Source;

/// Validation rows: every document in the order of the files, once.
#[derive(Debug)]
pub struct Validation<'a> {
    loader: &'a Loader,
    documents: Vec<(&'a Source, u32)>,
    next: usize,
    /// Tokens of the next document that are already inputs (stream).
    at: usize,
}

impl<'a> Validation<'a> {
    /// Starts at the first of `documents`.
    pub(crate) fn new(loader: &'a Loader, documents: Vec<(&'a Source, u32)>) -> Self {
        Self { loader, documents, next: 0, at: 0 }
    }

    /// One row of a stream; shorter at the end of the data.
    fn stream_row(&mut self, rows: &mut Rows) -> Result<()> {
        let need = self.loader.config().seq_len + 1;
        let (mut tokens, mut ends) = (Vec::with_capacity(need), Vec::new());
        while let Some(&(source, document)) = self.documents.get(self.next) {
            let all = source.entry(document).tokens;
            let n = (all.len() - self.at).min(need - tokens.len());
            let from = all.start + self.at;
            source.read(from..from + n, &mut tokens)?;
            self.at += n;
            let ended = self.at == all.len();
            if ended {
                ends.push(tokens.len());
            }
            if tokens.len() == need {
                self.at -= 1;
                break;
            }
            (self.next, self.at) = (self.next + 1, 0);
        }
        if tokens.len() > 1 {
            rows.push_stream(&tokens, &ends, self.loader.config().attend_across_documents);
        }
        Ok(())
    }

    /// One row of whole documents, in order.
    fn packed_row(&mut self, rows: &mut Rows) -> Result<()> {
        let mut free = self.loader.config().seq_len;
        while let Some(&(source, document)) = self.documents.get(self.next) {
            let entry = source.entry(document);
            if entry.len() - 1 > free {
                break;
            }
            let mut tokens = Vec::new();
            free -= entry.len() - 1;
            source.read(entry.tokens, &mut tokens)?;
            rows.push_whole(&tokens);
            self.next += 1;
        }
        Ok(())
    }
}

impl Iterator for Validation<'_> {
    type Item = Result<Rows>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut rows = Rows::default();
        for _ in 0..self.loader.config().batch_rows {
            let result = match self.loader.config().packing {
                Packing::Stream => self.stream_row(&mut rows),
                Packing::Whole => self.packed_row(&mut rows),
            };
            if let Err(e) = result {
                self.next = self.documents.len();
                return Some(Err(e));
            }
        }
        self.loader.count_bytes(&mut rows);
        (!rows.tokens.is_empty()).then_some(Ok(rows))
    }
}
