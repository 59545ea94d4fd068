//! The wire without I/O: what to send for a step, and what a reply means.
//!
//! Everything here is a pure function from bytes to decisions: no socket, no clock, no lock. The engine and the state
//! machine know only the types of this file, so that another protocol can stand beside [`v4`].

pub mod codes;
pub mod form;
pub mod path;
pub mod v4;

use std::sync::Arc;

use crate::error::Error;
use crate::hash::{Digest, Fingerprint};
use crate::sign::Subject;

/// What is known of a content before it is sent.
#[derive(Clone, Debug)]
pub struct Content {
    /// Bytes in all.
    pub size: u64,
    /// Its digest and chaining states, where it was hashed first.
    pub fingerprint: Option<Arc<Fingerprint>>,
}

/// An upload that the server has opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The server's handle for it, opaque.
    pub session: String,
    /// Bytes in all.
    pub size: u64,
    /// Bytes of every slice but the last.
    pub slice_size: u64,
    /// Slices must come one after another, in order.
    pub serial: bool,
    /// The digest that was declared when the upload was opened.
    pub declared: Option<Digest>,
}

/// One thing to ask of the server.
#[derive(Clone, Debug)]
pub enum Step<'a> {
    /// The whole content in one request.
    Single(&'a Content),
    /// Open an upload in slices of the given size.
    Open(&'a Content, u64),
    /// Store one slice.
    Put {
        /// The upload it belongs to.
        plan: &'a Plan,
        /// Its first byte within the content.
        offset: u64,
        /// Its length in bytes.
        len: u64,
    },
    /// What is stored of the unfinished upload. `expected` is the number of slices there may be.
    List {
        /// Slices there may be, for the limit of the reply.
        expected: u64,
    },
    /// Put the slices together.
    Commit(&'a Plan),
    /// What is known of the object.
    Inspect,
    /// Throw the unfinished upload away.
    Discard,
}

/// A piece of a request's body.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Bytes of the form.
    Bytes(Vec<u8>),
    /// Bytes of the content.
    Content {
        /// First byte.
        offset: u64,
        /// Length.
        len: u64,
    },
    /// The fingerprint's list of slices, written as it is sent: at 64 GiB it has six megabytes.
    Parts(Arc<Fingerprint>),
}

impl Piece {
    /// Bytes this piece has on the wire.
    pub fn len(&self) -> u64 {
        match self {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::Content { len, .. } => *len,
            Piece::Parts(fingerprint) => form::parts_len(fingerprint),
        }
    }

    /// Whether it adds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A request, ready but for its signature.
#[derive(Clone, Debug)]
pub struct Request {
    /// The operation's name, for the signer and the log.
    pub op: &'static str,
    /// GET; otherwise POST.
    pub is_get: bool,
    /// Path and query behind the endpoint.
    pub target: String,
    /// The Content-Type of the body.
    pub content_type: String,
    /// The body.
    pub body: Vec<Piece>,
    /// Needs a signature that works once.
    pub one_time: bool,
    /// A reply longer than this is none that the server makes.
    pub reply_limit: u64,
}

impl Request {
    /// The exact Content-Length.
    pub fn body_len(&self) -> u64 {
        self.body.iter().map(Piece::len).sum()
    }
}

/// A reply as it came.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The header that carries the request id.
    pub request_id: Option<String>,
    /// The Date header.
    pub date: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Where a stored object can be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // named like the fields of the replies
pub struct Addresses {
    pub access_url: String,
    pub source_url: String,
    pub resource_path: String,
    pub url: String,
    pub preview_url: String,
    pub vid: String,
}

/// An unfinished upload as the server sees it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The upload; `declared` is what the server knows of the content.
    pub plan: Plan,
    /// Ranges that are stored: offset and length, in any order, not yet believed.
    pub parts: Vec<(u64, u64)>,
}

/// What the server knows of an object.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The size that was declared.
    pub size: Option<u64>,
    /// The bytes that are there.
    pub stored: Option<u64>,
    /// The digest.
    pub digest: Option<Digest>,
    /// Its addresses.
    pub addresses: Addresses,
}

impl Facts {
    /// Whether all of the object is there.
    pub fn is_complete(&self) -> bool {
        self.size.is_some() && self.size == self.stored
    }
}

/// What a good reply says.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The object is there.
    Stored(Addresses),
    /// The upload is open: send slices.
    Opened(Plan),
    /// The server has this content already: nothing to send.
    Instant(Addresses),
    /// The slice is stored.
    Accepted {
        /// Slices must come in order from now on.
        serial: bool,
    },
    /// What is stored of an unfinished upload.
    Standing(Standing),
    /// The upload is finished: the object is there.
    Complete(Addresses),
    /// What the server knows of the object.
    Facts(Facts),
    /// It is gone.
    Discarded,
}

/// What can be done about a bad reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Try again after a while.
    Retry,
    /// Try again after a while, with less at once.
    Slow,
    /// The signature is too old or too new: learn the server's clock, sign again once.
    Clock,
    /// The signature was refused: sign again once.
    Auth,
    /// The server does not know the upload any more: look what is there.
    Lost,
    /// The slice came in the wrong order: look what is there, and go in order.
    Order,
    /// The upload is spoiled: begin again.
    Restart,
    /// An unfinished upload of this content exists.
    Unfinished,
    /// An unfinished upload of other content exists.
    Foreign,
    /// An object exists under the name.
    Exists,
    /// This very object exists.
    Same,
    /// The object, directory or bucket is not there.
    NotFound,
    /// What was sent differs from what was declared.
    Integrity,
    /// Slices are missing or the sizes differ.
    Incomplete,
    /// Nothing helps.
    Final,
}

/// A step that did not work.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What can be done.
    pub class: Class,
    /// What the caller gets when nothing more is done.
    pub error: Error,
    /// The request may have been carried out all the same: no reply came.
    pub ambiguous: bool,
}

impl Fault {
    /// A fault that nothing helps.
    pub fn fatal(error: Error) -> Self {
        Fault {
            class: Class::Final,
            error,
            ambiguous: false,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::fatal(error)
    }
}

/// A wire protocol for one object.
pub trait Wire: Send + Sync {
    /// What is signed.
    fn subject(&self) -> &Arc<Subject>;
    /// The request for a step. `boundary` is a text that does not occur in the content.
    fn request(&self, step: &Step<'_>, boundary: &str) -> Request;
    /// What a reply to a step means.
    fn read(&self, step: &Step<'_>, reply: &Reply) -> Result<Answer, Fault>;
}
