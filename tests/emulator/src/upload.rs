//! An open upload: its declared facts, its data file and which slices are stored.

use crate::digest::{self, Digest};
use crate::settings::Datasha;
use crate::slices::Slices;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What init declared; kept as JSON beside the data.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UploadRecord {
    pub path: String,
    pub session: String,
    pub filesize: u64,
    pub slice_size: u64,
    pub sha: Option<String>,
    pub biz_attr: String,
    pub serial: bool,
    /// How each slice is checked. `None` when nothing was declared, or not on the grid of the slices.
    pub check: Datasha,
    pub ctime: i64,
    /// Name of the data file; empty when data is discarded.
    pub data: String,
}

/// What is known of the slices now.
pub struct Progress {
    pub slices: Slices,
    /// Slices that a connection is writing at the moment.
    writing: BTreeSet<u64>,
    pub first: Option<Instant>,
    pub last: Option<Instant>,
    /// Bytes stored since this process started, for the rate.
    pub fresh_bytes: u64,
}

pub struct Upload {
    pub record: UploadRecord,
    session: Mutex<String>,
    datashas: Vec<Digest>,
    data: Option<File>,
    /// One index of 8 bytes per stored slice, appended after its data is written: a slice that was acknowledged
    /// is found again after a kill -9.
    journal: Option<Mutex<File>>,
    progress: Mutex<Progress>,
    settled: Condvar,
    /// Held while finishing, so that two finishes do not commit twice.
    pub finishing: Mutex<()>,
}

/// What became of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    New,
    Again,
    Differs,
    BadSha,
    OutOfOrder,
}

pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Upload {
    pub fn new(
        record: UploadRecord,
        datashas: Vec<Digest>,
        files: Option<(File, File)>,
        slices: Slices,
    ) -> Self {
        let (data, journal) = files.map_or((None, None), |(d, j)| (Some(d), Some(Mutex::new(j))));
        let progress = Progress {
            slices,
            writing: BTreeSet::new(),
            first: None,
            last: None,
            fresh_bytes: 0,
        };
        Self {
            session: Mutex::new(record.session.clone()),
            record,
            datashas,
            data,
            journal,
            progress: Mutex::new(progress),
            settled: Condvar::new(),
            finishing: Mutex::new(()),
        }
    }

    pub fn session(&self) -> String {
        lock(&self.session).clone()
    }

    /// A fault: whoever holds the old session has lost it. Not kept across a restart.
    pub fn expire_session(&self, fresh: String) {
        *lock(&self.session) = fresh;
    }

    pub fn progress(&self) -> MutexGuard<'_, Progress> {
        lock(&self.progress)
    }

    /// The whole file's SHA-1, if checking every slice has proved it.
    pub fn proven_sha(&self) -> Option<String> {
        (self.record.check == Datasha::Chained)
            .then(|| self.record.sha.clone())
            .flatten()
    }

    /// Checks a slice by itself, from the chaining state before it (protocol 5, consequence b).
    fn sha_fits(&self, index: u64, bytes: &[u8]) -> bool {
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let Some(want) = self.datashas.get(at) else {
            return true;
        };
        let mut state = match at
            .checked_sub(1)
            .and_then(|before| self.datashas.get(before))
        {
            Some(before) => digest::from_datasha(before),
            None => digest::INITIAL,
        };
        match self.record.check {
            Datasha::None => true,
            Datasha::Plain => digest::sha1(bytes) == *want,
            Datasha::Chained if at + 1 == self.datashas.len() => {
                digest::finish(state, bytes, self.record.filesize) == *want
            }
            Datasha::Chained => {
                digest::advance(&mut state, bytes);
                digest::to_datasha(state) == *want
            }
        }
    }

    /// Stores a slice of exactly the right length. Slices of one upload are hashed and written in parallel; only the
    /// same slice waits for itself.
    pub fn store(&self, index: u64, bytes: &[u8]) -> io::Result<Stored> {
        let offset = index * self.record.slice_size;
        let mut progress = self.progress();
        while progress.writing.contains(&index) {
            progress = self
                .settled
                .wait(progress)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if progress.slices.has(index) {
            drop(progress);
            return Ok(if self.holds(offset, bytes)? {
                Stored::Again
            } else {
                Stored::Differs
            });
        }
        if self.record.serial && progress.slices.first_missing() != Some(index) {
            return Ok(Stored::OutOfOrder);
        }
        progress.writing.insert(index);
        progress.first.get_or_insert_with(Instant::now);
        drop(progress);

        let outcome = self.write(index, offset, bytes);
        let mut progress = self.progress();
        progress.writing.remove(&index);
        if matches!(outcome, Ok(Stored::New)) {
            progress.slices.insert(index);
            progress.fresh_bytes += bytes.len() as u64;
            progress.last = Some(Instant::now());
        }
        drop(progress);
        self.settled.notify_all();
        outcome
    }

    fn write(&self, index: u64, offset: u64, bytes: &[u8]) -> io::Result<Stored> {
        let (Some(data), Some(journal)) = (&self.data, &self.journal) else {
            return Ok(Stored::New);
        };
        if !self.sha_fits(index, bytes) {
            return Ok(Stored::BadSha);
        }
        data.write_all_at(bytes, offset)?;
        lock(journal).write_all(&index.to_le_bytes())?;
        Ok(Stored::New)
    }

    fn holds(&self, offset: u64, bytes: &[u8]) -> io::Result<bool> {
        let Some(data) = &self.data else {
            return Ok(true);
        };
        let mut stored = vec![0; bytes.len()];
        data.read_exact_at(&mut stored, offset)?;
        Ok(stored == bytes)
    }
}

/// Replays a journal. A last entry that was cut by a crash was never acknowledged.
pub fn replay(journal: &[u8], slices: &mut Slices) {
    for entry in journal.as_chunks::<8>().0 {
        slices.insert(u64::from_le_bytes(*entry));
    }
}
