//! Decompressing, as far as there is input and room for output.

use std::io::{self, Write};

use flate2::write::GzDecoder;
use zstd::stream::raw::{Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

use super::manifest::Packing;

/// Decompresses what one of the packings has compressed.
pub(super) enum Decoder {
    Zstd(Zstd),
    Gzip(Box<Gzip>),
}

impl Decoder {
    /// For what is packed so.
    pub(super) fn of(packing: Packing) -> io::Result<Self> {
        match packing {
            Packing::Zstd | Packing::ZstdAge => Ok(Self::Zstd(Zstd {
                decoder: ZstdDecoder::new()?,
                frame_ended: true,
            })),
            Packing::Gzip => Ok(Self::Gzip(Box::new(Gzip {
                decoder: GzDecoder::new(Vec::new()),
                ready: 0,
                ended: false,
            }))),
        }
    }

    /// Takes of `input` what it can, and fills `output` as far as that goes. Tells how much of both. No input is its end.
    pub(super) fn run(&mut self, input: &[u8], output: &mut [u8]) -> io::Result<(usize, usize)> {
        match self {
            Self::Zstd(zstd) => zstd.run(input, output),
            Self::Gzip(gzip) => gzip.run(input, output),
        }
    }

    /// True when what was taken so far is whole.
    pub(super) fn has_ended(&self) -> bool {
        match self {
            Self::Zstd(zstd) => zstd.frame_ended,
            Self::Gzip(gzip) => gzip.ended,
        }
    }
}

pub(super) struct Zstd {
    decoder: ZstdDecoder<'static>,
    frame_ended: bool,
}

impl Zstd {
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> io::Result<(usize, usize)> {
        let mut from = InBuffer::around(input);
        let mut to = OutBuffer::around(output);
        let hint = self.decoder.run(&mut from, &mut to)?;
        let (read, written) = (from.pos(), to.pos());
        // A frame that has ended asks for nothing more.
        if read > 0 || written > 0 {
            self.frame_ended = hint == 0;
        }
        Ok((read, written))
    }
}

pub(super) struct Gzip {
    decoder: GzDecoder<Vec<u8>>,
    /// How much of what came out was given away.
    ready: usize,
    ended: bool,
}

impl Gzip {
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> io::Result<(usize, usize)> {
        let (mut read, mut written) = (0, 0);
        if input.is_empty() && !self.ended {
            // Here it compares the sum and the length at the end of what was compressed.
            self.decoder.try_finish()?;
            self.ended = true;
        }
        loop {
            written += self.give(output.get_mut(written..).unwrap_or_default());
            let rest = input.get(read..).unwrap_or_default();
            if written == output.len() || rest.is_empty() {
                return Ok((read, written));
            }
            // With each call no more comes out than the 32 KiB that it holds.
            match self.decoder.write(rest)? {
                0 => return Err(io::Error::other("there is more behind its end")),
                taken => read += taken,
            }
        }
    }

    /// Moves to `output` what has come out, as far as there is room.
    fn give(&mut self, output: &mut [u8]) -> usize {
        let came = self.decoder.get_mut();
        let rest = came.get(self.ready..).unwrap_or_default();
        let count = rest.len().min(output.len());
        for (to, from) in output.iter_mut().zip(rest) {
            *to = *from;
        }
        self.ready += count;
        if self.ready >= came.len() {
            came.clear();
            self.ready = 0;
        }
        count
    }
}
