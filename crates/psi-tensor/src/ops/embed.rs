//! Token and position embeddings: rows of a matrix, looked up in its panels.

use super::Backward;
use crate::{
    Graph, ParamId, Var, Weight,
    graph::{Shape, Tape, ValueId},
    rows::for_parts,
};

impl Graph {
    /// y_i = E_{tokens\[i\]}, E (vocab_size, d_model) in the dtype of its panels (the output head's when
    /// embeddings are tied: there is no second copy). The gradient adds up over repeated tokens.
    ///
    /// # Panics
    /// When a token is no row of E.
    #[track_caller]
    pub fn embed(&self, table: &Weight, tokens: &[u32]) -> Var<'_> {
        let (n, d) = (table.n(), table.k());
        let outside = tokens.iter().find(|&&t| t as usize >= n);
        assert!(outside.is_none(), "token {outside:?} of a vocabulary of {n}");
        let id = table.param();
        self.compute(
            Shape::new(tokens.len(), d),
            id.is_some(),
            |_, y| {
                for_parts(self.cpu(), d, y, |range, y| {
                    let rows = &tokens[range.start / d.max(1)..];
                    for (y, &token) in y.chunks_exact_mut(d.max(1)).zip(rows) {
                        table.matrix().row(token as usize, y);
                    }
                });
            },
            || {
                let id = id.unwrap_or_else(|| unreachable!("recorded for its gradient"));
                Box::new(EmbedBack { id, len: n * d, d, tokens: tokens.to_vec() })
            },
        )
    }
}

struct EmbedBack {
    id: ParamId,
    len: usize,
    d: usize,
    tokens: Vec<u32>,
}

impl Backward for EmbedBack {
    fn backward(&self, _y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let d_e = tape.gradients.slot(self.id, self.len);
        for (d_y, &token) in d_y.chunks_exact(self.d.max(1)).zip(&self.tokens) {
            let row = &mut d_e[token as usize * self.d..][..self.d];
            row.iter_mut().zip(d_y).for_each(|(g, d)| *g += d);
        }
        tape.buffers.put(d_y);
    }
}

#[cfg(test)]
mod tests {
    use crate::gradcheck::check_params;

    #[test]
    fn the_gradient_of_an_embedding_matches_finite_differences() {
        check_params(&[(4, 3)], &[(5, 3)], |x, p| {
            x[0] + x[0].graph.embed(&p.weight(0), &[4, 1, 1, 0])
        });
    }
}
