//! Where the bytes of slices come from: a file, a block of memory, or a buffer filled by feeding.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::{Error, Status};

/// Bytes of a content, readable at any offset from any thread.
pub trait Bytes: Send + Sync {
    /// Fills `out` from `offset` on; all of it, or it is an error.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), Error>;

    /// All of it at once, where it lies in memory.
    fn in_memory(&self) -> Option<&[u8]> {
        None
    }

    /// `len` bytes from `offset` on, where they can be held on to instead of copied.
    fn span(&self, offset: u64, len: usize) -> Option<Span> {
        let _ = (offset, len);
        None
    }
}

/// Bytes of a buffer that others may hold as well.
pub struct Span {
    buffer: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Span {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[self.range.clone()]
    }
}

/// A content without bytes, for steps that send none.
pub struct Nothing;

impl Bytes for Nothing {
    fn read_at(&self, _: u64, out: &mut [u8]) -> Result<(), Error> {
        if out.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            Status::Panic,
            "content was read where there is none",
        ))
    }
}

/// A regular file that must stay what it was when it was opened.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    path: String,
    size: u64,
    modified: Option<SystemTime>,
}

impl FileSource {
    /// Opens a file for reading.
    pub fn open(path: &str) -> Result<Self, Error> {
        // A look before the opening: opening a pipe would wait for a writer.
        let look = std::fs::metadata(Path::new(path))
            .map_err(|cause| Error::file("opening", path, &cause))?;
        if !look.is_file() {
            let mut error = Error::new(
                Status::File,
                format!("{path:?} is not a regular file; feed its bytes instead"),
            );
            if look.is_dir() {
                error.os_error = Some(libc::EISDIR);
            }
            return Err(error);
        }
        let file =
            File::open(Path::new(path)).map_err(|cause| Error::file("opening", path, &cause))?;
        let metadata = file
            .metadata()
            .map_err(|cause| Error::file("examining", path, &cause))?;
        Ok(FileSource {
            size: metadata.len(),
            modified: modified(&metadata),
            path: path.to_string(),
            file,
        })
    }

    /// Bytes at the time of opening.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// An error when the file has changed since it was opened.
    pub fn check_unchanged(&self) -> Result<(), Error> {
        let metadata = self
            .file
            .metadata()
            .map_err(|cause| Error::file("examining", &self.path, &cause))?;
        if metadata.len() != self.size {
            return Err(self.changed(&format!(
                "it had {} bytes and now has {}",
                self.size,
                metadata.len()
            )));
        }
        if modified(&metadata) != self.modified {
            return Err(self.changed("it was written to"));
        }
        // Files of the kernel say that they are empty, and are not.
        match read_some(&self.file, self.size, &mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.changed("it has more bytes than its size says")),
            Err(cause) => Err(Error::file("reading", &self.path, &cause)),
        }
    }

    fn changed(&self, how: &str) -> Error {
        Error::new(
            Status::SourceChanged,
            format!(
                "{:?} changed while it was uploaded: {how}; upload it again when it is left alone",
                self.path
            ),
        )
    }
}

fn modified(metadata: &Metadata) -> Option<SystemTime> {
    metadata.modified().ok()
}

impl Bytes for FileSource {
    fn read_at(&self, mut offset: u64, mut out: &mut [u8]) -> Result<(), Error> {
        while !out.is_empty() {
            match read_some(&self.file, offset, out) {
                Ok(0) => return Err(self.changed("it became shorter")),
                Ok(n) => {
                    offset += n as u64;
                    out = &mut out[n..];
                }
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(Error::file("reading", &self.path, &cause)),
            }
        }
        Ok(())
    }
}

#[cfg(unix)]
fn read_some(file: &File, offset: u64, out: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, out, offset)
}

#[cfg(windows)]
fn read_some(file: &File, offset: u64, out: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, out, offset)
}

/// A piece of a content that lies in memory.
pub struct Memory<T> {
    start: u64,
    bytes: T,
}

impl<T: AsRef<[u8]>> Memory<T> {
    /// Bytes whose first one is byte `start` of the content.
    pub fn new(start: u64, bytes: T) -> Self {
        Memory { start, bytes }
    }

    /// Where bytes of the content lie here.
    fn range(&self, offset: u64, len: usize) -> Option<Range<usize>> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        let to = from.checked_add(len)?;
        (to <= self.bytes.as_ref().len()).then_some(from..to)
    }
}

impl<T: AsRef<[u8]> + Send + Sync> Bytes for Memory<T> {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        match self.range(offset, out.len()) {
            Some(range) => {
                out.copy_from_slice(&self.bytes.as_ref()[range]);
                Ok(())
            }
            None => Err(Error::new(
                Status::Panic,
                "a slice was read outside of its buffer",
            )),
        }
    }

    fn in_memory(&self) -> Option<&[u8]> {
        Some(self.bytes.as_ref())
    }
}

/// One slice of a content in a buffer of its own, which goes to the socket as it is.
pub struct Slot {
    start: u64,
    buffer: Arc<Vec<u8>>,
}

impl Slot {
    /// Bytes whose first one is byte `start` of the content.
    pub fn new(start: u64, bytes: Vec<u8>) -> Self {
        Slot {
            start,
            buffer: Arc::new(bytes),
        }
    }

    fn memory(&self) -> Memory<&[u8]> {
        Memory::new(self.start, &self.buffer)
    }

    /// The buffer again, unless a span of it is still held.
    pub fn into_buffer(self) -> Option<Vec<u8>> {
        Arc::into_inner(self.buffer)
    }
}

impl Bytes for Slot {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        self.memory().read_at(offset, out)
    }

    fn span(&self, offset: u64, len: usize) -> Option<Span> {
        Some(Span {
            buffer: Arc::clone(&self.buffer),
            range: self.memory().range(offset, len)?,
        })
    }
}

/// A buffer of exactly `len` bytes capacity, or an error a caller can act on.
pub fn allocate(len: usize) -> Result<Vec<u8>, Error> {
    let mut buffer = Vec::new();
    buffer
        .try_reserve_exact(len)
        .map_err(|_| Error::no_memory(len))?;
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn files_are_read_anywhere_and_watched() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"0123456789").unwrap();
        let path = file.path().to_str().unwrap().to_string();
        let source = FileSource::open(&path).unwrap();
        assert_eq!(source.size(), 10);
        let mut out = [0; 4];
        source.read_at(3, &mut out).unwrap();
        assert_eq!(&out, b"3456");
        assert!(source.check_unchanged().is_ok());
        file.write_all(b"x").unwrap();
        assert_eq!(
            source.check_unchanged().unwrap_err().status,
            Status::SourceChanged
        );
        file.as_file().set_len(5).unwrap();
        assert_eq!(
            source.read_at(3, &mut out).unwrap_err().status,
            Status::SourceChanged
        );
    }

    #[test]
    fn what_is_no_file_is_refused_with_errno() {
        let missing = FileSource::open("/nonexistent/file").unwrap_err();
        assert_eq!(missing.status, Status::File);
        assert_eq!(missing.os_error, Some(libc::ENOENT));
        let directory = FileSource::open("/").unwrap_err();
        assert_eq!(directory.os_error, Some(libc::EISDIR));
    }

    #[test]
    fn memory_is_read_within_its_bounds() {
        let memory = Memory::new(100, vec![1u8, 2, 3]);
        let mut out = [0; 2];
        memory.read_at(101, &mut out).unwrap();
        assert_eq!(out, [2, 3]);
        for offset in [99, 102, u64::MAX] {
            assert!(memory.read_at(offset, &mut out).is_err());
        }
    }

    #[test]
    fn a_slot_is_shared_and_comes_back() {
        let slot = Slot::new(100, vec![1, 2, 3]);
        let span = slot.span(101, 2).unwrap();
        assert_eq!(span.as_ref(), [2, 3]);
        for (offset, len) in [(99, 1), (102, 2), (101, usize::MAX)] {
            assert!(slot.span(offset, len).is_none());
        }
        drop(span);
        assert_eq!(slot.into_buffer(), Some(vec![1, 2, 3]));
    }

    #[test]
    fn impossible_buffers_are_an_error() {
        assert_eq!(allocate(usize::MAX).unwrap_err().status, Status::NoMem);
    }
}
