//! Memory of the graph's tensors, reused from step to step so that decoding does not allocate.

/// Released buffers, kept for the next tensor that fits.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    /// Sorted by capacity.
    free: Vec<Vec<f32>>,
}

/// A buffer may serve a tensor down to this fraction of its capacity: more would strand memory.
const MAX_WASTE: usize = 4;

impl Buffers {
    /// `len` values of unspecified content: every op writes all of its output.
    pub(crate) fn take(&mut self, len: usize) -> Vec<f32> {
        let at = self.free.partition_point(|b| b.capacity() < len);
        if at < self.free.len() && self.free[at].capacity() <= len.saturating_mul(MAX_WASTE) {
            let mut buffer = self.free.remove(at);
            // Shrinking keeps the content, growing zeroes only the difference.
            buffer.resize(len, 0.0);
            return buffer;
        }
        vec![0.0; len]
    }

    /// `len` zeros.
    pub(crate) fn zeros(&mut self, len: usize) -> Vec<f32> {
        let mut buffer = self.take(len);
        buffer.fill(0.0);
        buffer
    }

    /// Gives a buffer back.
    pub(crate) fn put(&mut self, buffer: Vec<f32>) {
        if buffer.capacity() > 0 {
            let at = self.free.partition_point(|b| b.capacity() < buffer.capacity());
            self.free.insert(at, buffer);
        }
    }

    /// Frees what is kept.
    pub(crate) fn clear(&mut self) {
        self.free.clear();
    }

    /// Bytes kept for reuse.
    pub(crate) fn bytes(&self) -> usize {
        self.free.iter().map(|b| b.capacity() * size_of::<f32>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_buffer_serves_the_next_tensor_of_its_size_and_not_a_tiny_one() {
        let mut buffers = Buffers::default();
        let big = buffers.take(1000);
        let address = big.as_ptr();
        buffers.put(big);
        let tiny = buffers.take(10);
        assert_ne!(tiny.as_ptr(), address);
        let again = buffers.take(900);
        assert_eq!((again.as_ptr(), again.len()), (address, 900));
        buffers.put(again);
        assert_eq!(buffers.bytes(), 4000);
        assert!(buffers.zeros(1000).iter().all(|&x| x == 0.0));
    }
}
