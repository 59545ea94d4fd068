//! The buffers of a socket. ureq's own end the process when memory is short; these are an error a caller can act on.

use ureq::unversioned::transport::Buffers;

use crate::error::Error;
use crate::source::allocate;

/// One buffer for each direction, allocated once for each connection.
pub struct SocketBuffers {
    input: Vec<u8>,
    /// Bytes of `input` that were consumed, and bytes that were filled.
    consumed: usize,
    filled: usize,
    output: Vec<u8>,
    /// The last look at the input used some of it: what is left may be enough for the next.
    progress: bool,
}

impl SocketBuffers {
    /// Buffers of these sizes, or `E_NOMEM`.
    pub fn new(input: usize, output: usize) -> Result<Self, Error> {
        let zeroed = |len: usize| {
            let mut buffer = allocate(len)?;
            buffer.resize(len, 0);
            Ok::<_, Error>(buffer)
        };
        Ok(SocketBuffers {
            input: zeroed(input)?,
            consumed: 0,
            filled: 0,
            output: zeroed(output)?,
            progress: false,
        })
    }
}

impl Buffers for SocketBuffers {
    fn output(&mut self) -> &mut [u8] {
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        &self.input[self.consumed..self.filled]
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        if self.consumed > 0 {
            self.input.copy_within(self.consumed..self.filled, 0);
            self.filled -= self.consumed;
            self.consumed = 0;
        }
        &mut self.input[self.filled..]
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled = (self.filled + amount).min(self.input.len());
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.consumed = (self.consumed + amount).min(self.filled);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        (&mut self.input[self.filled..], &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        self.consumed < self.filled && self.progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    #[test]
    fn input_is_taken_in_order_and_its_room_used_again() {
        let mut buffers = SocketBuffers::new(8, 8).unwrap();
        buffers.input_append_buf()[..6].copy_from_slice(b"abcdef");
        buffers.input_appended(6);
        assert_eq!(buffers.input(), b"abcdef");
        assert!(!buffers.can_use_input(), "nothing was used of it yet");
        buffers.input_consume(4);
        assert!(buffers.can_use_input());
        assert_eq!(buffers.input_append_buf().len(), 6);
        assert_eq!(buffers.input(), b"ef");
        buffers.input_consume(0);
        assert!(!buffers.can_use_input(), "what is left was not enough");
    }

    #[test]
    fn too_little_memory_is_an_error() {
        let error = SocketBuffers::new(8, usize::MAX).map(|_| ()).unwrap_err();
        assert_eq!(error.status, Status::NoMem);
    }
}
