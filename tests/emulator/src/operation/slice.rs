//! upload_slice_init, data, list and finish (protocol 4.2 to 4.5, 6.5).

use super::{Call, Done, OBJECT_LIMIT, data, part};
use crate::codes::{self, Fail};
use crate::digest::{self, Digest};
use crate::random;
use crate::settings::{Datasha, Order};
use crate::upload::{Stored, Upload, UploadRecord, lock};
use serde_json::Value;
use std::sync::Arc;

/// An entry of uploadparts.
struct Entry {
    offset: u64,
    datalen: u64,
    datasha: Digest,
}

impl Call<'_> {
    pub(super) fn init(&self) -> Done {
        self.file_path()?;
        let filesize = self.filesize()?;
        if filesize == 0 {
            // No SDK can send an empty file in slices.
            return Err(codes::filesize_bad());
        }
        if filesize > OBJECT_LIMIT {
            return Err(codes::file_too_large());
        }
        let asked = self
            .fields
            .number("slice_size")
            .ok_or_else(codes::param_missing)?;
        let asked = asked
            .filter(|s| self.settings.slice_sizes.contains(s))
            .ok_or_else(codes::slice_size_wrong)?;
        let sha = self.sha()?;
        let entries = match &sha {
            Some(_) => self.uploadparts(filesize)?,
            None => Vec::new(),
        };
        if self.settings.datasha == Datasha::Chained
            && let (Some(sha), Some(last)) = (&sha, entries.last())
            && *sha != digest::hex(&last.datasha)
        {
            // The last entry is the whole file's digest (protocol 5, consequence a).
            return Err(codes::sha_differs());
        }
        self.parent_there()?;

        if let Some(object) = self.store.object(self.path)
            && self.insert_only()
        {
            let same = object.record.filesize == filesize
                && sha.is_some()
                && self.store.sha_of(&object)? == sha;
            return if same {
                Ok(Some(self.urls()))
            } else {
                Err(codes::file_exists())
            };
        }
        if let Some(open) = self.store.upload(self.path) {
            return Err(unfinished(&open, sha.as_deref(), filesize));
        }
        if let Some(sha) = &sha
            && let Some(source) = self.store.find_content(sha, filesize)
        {
            self.store
                .put_link(self.object_record(filesize, Some(sha.clone())), &source)?;
            return Ok(Some(self.urls()));
        }

        let slice_size = self.settings.slice_size.unwrap_or(asked);
        let check = self.check_for(&entries, slice_size);
        let datashas = match check {
            Datasha::None => Vec::new(),
            _ => entries.iter().map(|e| e.datasha).collect(),
        };
        let record = UploadRecord {
            path: self.path.to_owned(),
            session: random::hex(self.settings.session_len),
            filesize,
            slice_size,
            sha: sha.clone(),
            biz_attr: self.fields.text("biz_attr").unwrap_or("").to_owned(),
            serial: self.settings.serial,
            check,
            ctime: self.now,
            data: String::new(),
        };
        let upload = match self.store.begin(record, datashas)? {
            Ok(upload) => upload,
            Err(open) => return Err(unfinished(&open, sha.as_deref(), filesize)),
        };
        let mut reply = data([("session", upload.session().into())]);
        if self.settings.serial {
            reply.insert("serial_upload".into(), 1.into());
        }
        reply.insert("slice_size".into(), slice_size.into());
        Ok(Some(reply))
    }

    /// Parses uploadparts and makes sure that the entries cover the file from start to end. They need not lie on
    /// the grid of the slices: Java always cuts them at 1 MiB.
    fn uploadparts(&self, filesize: u64) -> Result<Vec<Entry>, Fail> {
        let text = self
            .fields
            .text("uploadparts")
            .ok_or_else(codes::uploadparts_bad)?;
        let Ok(Value::Array(items)) = serde_json::from_str(text) else {
            return Err(codes::uploadparts_bad());
        };
        let number = |value: &Value| match value {
            Value::String(s) => s.trim().parse().ok(),
            value => value.as_u64(),
        };
        let mut entries = Vec::with_capacity(items.len());
        let mut end = 0u64;
        for item in &items {
            let entry = (|| {
                let datasha = digest::unhex(item.get("datasha")?.as_str()?)?;
                Some(Entry {
                    offset: number(item.get("offset")?)?,
                    datalen: number(item.get("datalen")?)?,
                    datasha,
                })
            })()
            .ok_or_else(codes::uploadparts_bad)?;
            if entry.offset != end || entry.datalen == 0 {
                return Err(codes::uploadparts_gap());
            }
            end = end
                .checked_add(entry.datalen)
                .ok_or_else(codes::uploadparts_gap)?;
            entries.push(entry);
        }
        if end == filesize {
            Ok(entries)
        } else {
            Err(codes::uploadparts_gap())
        }
    }

    /// Slices can be checked one by one only if there is one entry for each; chained states also need whole blocks.
    fn check_for(&self, entries: &[Entry], slice_size: u64) -> Datasha {
        let (last, rest) = match entries.split_last() {
            Some((last, rest)) => (last.datalen, rest),
            None => return Datasha::None,
        };
        let on_grid = last <= slice_size && rest.iter().all(|e| e.datalen == slice_size);
        match self.settings.datasha {
            Datasha::Chained if on_grid && (slice_size.is_multiple_of(64) || rest.is_empty()) => {
                Datasha::Chained
            }
            Datasha::Plain if on_grid => Datasha::Plain,
            _ => Datasha::None,
        }
    }

    fn session_lost(&self) -> Fail {
        Fail::new(400, self.settings.session_code, "ERROR_SESSION")
    }

    /// The open upload of this name, if the session is its own.
    fn upload_of_session(&self) -> Result<Arc<Upload>, Fail> {
        self.file_path()?;
        let session = self
            .fields
            .text("session")
            .ok_or_else(codes::session_missing)?;
        let upload = self
            .store
            .upload(self.path)
            .ok_or_else(|| self.session_lost())?;
        if upload.session() == session {
            Ok(upload)
        } else {
            Err(self.session_lost())
        }
    }

    pub(super) fn data(&self) -> Done {
        let upload = self.upload_of_session()?;
        let offset = self
            .fields
            .number("offset")
            .ok_or_else(codes::param_missing)?;
        let bytes = self
            .fields
            .bytes("filecontent")
            .ok_or_else(codes::content_missing)?;
        let offset = offset.ok_or_else(codes::offset_wrong)?;
        let index = {
            let progress = upload.progress();
            let index = progress
                .slices
                .index_at(offset)
                .ok_or_else(codes::offset_wrong)?;
            if bytes.len() as u64 != progress.slices.len_of(index) {
                return Err(codes::offset_wrong());
            }
            index
        };
        match upload.store(index, bytes)? {
            Stored::New => lock(self.counters).slices_stored += 1,
            Stored::Again => lock(self.counters).slices_again += 1,
            Stored::Differs => return Err(codes::slice_differs()),
            Stored::BadSha => return Err(codes::sha_differs()),
            Stored::OutOfOrder => return Err(codes::out_of_order()),
        }
        // The C++ SDK takes the session for finish from here.
        let mut reply = data([
            ("datalen", bytes.len().into()),
            ("offset", offset.into()),
            ("session", upload.session().into()),
        ]);
        if upload.record.serial {
            reply.insert("serial_upload".into(), 1.into());
        }
        Ok(Some(reply))
    }

    pub(super) fn list(&self) -> Done {
        self.file_path()?;
        let Some(upload) = self.store.upload(self.path) else {
            return match self.store.object(self.path) {
                Some(_) => Ok(Some(self.urls())),
                None => Err(codes::file_absent()),
            };
        };
        let settings = self.settings;
        let mut parts: Vec<Value> = {
            let progress = upload.progress();
            let slices = &progress.slices;
            let shown = slices
                .iter()
                .filter(|i| !settings.listparts_hide.contains(&slices.offset_of(*i)));
            shown
                .map(|i| part(slices.offset_of(i), slices.len_of(i)))
                .collect()
        };
        parts.extend(settings.listparts_extra.iter().cloned());
        match settings.listparts_order {
            Order::Sorted => {}
            Order::Reversed => parts.reverse(),
            Order::Shuffled => {
                parts.sort_by_key(|p| random::mix(p["offset"].as_u64().unwrap_or(0)))
            }
        }
        let mut reply = data([
            ("filesize", upload.record.filesize.into()),
            ("listparts", parts.into()),
        ]);
        if upload.record.serial {
            reply.insert("serial_upload".into(), 1.into());
        }
        reply.insert("session".into(), upload.session().into());
        if let Some(sha) = &upload.record.sha {
            reply.insert("sha".into(), format!("{sha}{}", settings.sha_suffix).into());
        }
        reply.insert("slice_size".into(), upload.record.slice_size.into());
        Ok(Some(reply))
    }

    pub(super) fn finish(&self) -> Done {
        let upload = match self.upload_of_session() {
            Err(fail) if self.was_finished() => {
                return match self.settings.second_finish_code {
                    0 => Ok(Some(self.urls())),
                    code => Err(Fail { code, ..fail }),
                };
            }
            other => other?,
        };
        let filesize = self.filesize()?;
        let sha = self.sha()?;
        let _one_at_a_time = lock(&upload.finishing);
        if !self
            .store
            .upload(self.path)
            .is_some_and(|u| Arc::ptr_eq(&u, &upload))
        {
            return Err(self.session_lost());
        }
        if filesize != upload.record.filesize || !upload.progress().slices.complete() {
            return Err(codes::size_differs());
        }
        if upload.record.sha.is_some() && sha.is_none() {
            return Err(codes::sha_not_repeated());
        }
        let truth = match (upload.proven_sha(), &sha) {
            (Some(proven), _) => Some(proven),
            // Nobody claims anything: the digest is computed when somebody asks for it.
            (None, None) => None,
            // Discarded data cannot be read back: believe the client.
            (None, Some(claimed)) => Some(
                self.store
                    .sha_of_upload(&upload)?
                    .unwrap_or_else(|| claimed.clone()),
            ),
        };
        let declared = upload.record.sha.iter().chain(&sha);
        if declared
            .into_iter()
            .any(|claimed| truth.as_ref() != Some(claimed))
        {
            return Err(codes::sha_differs());
        }
        self.store.commit(&upload, truth)?;
        Ok(Some(self.urls()))
    }

    /// Is the object here the one that this session made?
    fn was_finished(&self) -> bool {
        let session = self.fields.text("session");
        session.is_some()
            && self
                .store
                .object(self.path)
                .is_some_and(|o| o.record.session.as_deref() == session)
    }
}

/// What init says to an upload that is open already: the same content may be resumed, other content conflicts
/// (DOC 8432). Without a sha on either side the size has to tell.
pub(super) fn unfinished(open: &Upload, sha: Option<&str>, filesize: u64) -> Fail {
    let same = match (open.record.sha.as_deref(), sha) {
        (Some(declared), Some(sha)) => declared == sha,
        (None, None) => open.record.filesize == filesize,
        _ => false,
    };
    if same {
        codes::not_finished()
    } else {
        codes::other_upload_open()
    }
}
