//! What is read of a file is counted, and one row of it is bounded: a quote that is never closed must not bring the rest of
//! a large file into memory.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Most bytes that are read for one row.
const ROW_LIMIT: u64 = 1024 * 1024;

/// Counts what is read.
#[derive(Clone, Default)]
pub(super) struct Meter(Arc<Counts>);

#[derive(Default)]
struct Counts {
    read: AtomicU64,
    row_began: AtomicU64,
}

/// A reader with a meter.
pub(super) struct Metered<R> {
    inner: R,
    meter: Meter,
}

pub(super) fn metered<R>(inner: R) -> (Metered<R>, Meter) {
    let meter = Meter::default();
    (Metered { inner, meter: meter.clone() }, meter)
}

impl Meter {
    /// Bytes that were read so far. Readers look ahead a little.
    pub(super) fn read(&self) -> u64 {
        self.0.read.load(Ordering::Relaxed)
    }

    /// A row ends here.
    pub(super) fn next_row(&self) {
        self.0.row_began.store(self.read(), Ordering::Relaxed);
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.meter.read() - self.meter.0.row_began.load(Ordering::Relaxed) > ROW_LIMIT {
            return Err(io::Error::other(
                "a row has no end (a quote that is not closed, or not the format it is said to be)",
            ));
        }
        let read = self.inner.read(buffer)?;
        self.meter.0.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
