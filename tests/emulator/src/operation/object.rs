//! upload (simple), stat, delete and create (protocol 4.1, 4.6 to 4.8).

use super::slice::unfinished;
use super::{Call, Done, SIMPLE_LIMIT, data};
use crate::codes;
use crate::digest;
use crate::store::Directory;
use serde_json::{Map, Value, json};

impl Call<'_> {
    pub(super) fn upload(&self) -> Done {
        self.file_path()?;
        let bytes = self
            .fields
            .bytes("filecontent")
            .ok_or_else(codes::content_missing)?;
        let filesize = bytes.len() as u64;
        if filesize > SIMPLE_LIMIT {
            return Err(codes::body_too_large());
        }
        let declared = self.sha()?;
        let sha = digest::hex(&digest::sha1(bytes));
        if declared.is_some_and(|declared| declared != sha) {
            return Err(codes::sha_differs());
        }
        self.parent_there()?;
        if let Some(object) = self.store.object(self.path)
            && self.insert_only()
        {
            // The same content again is a success with the same URLs [O].
            let same = object.record.filesize == filesize
                && self.store.sha_of(&object)?.as_ref() == Some(&sha);
            return if same {
                Ok(Some(self.urls()))
            } else {
                Err(codes::file_exists())
            };
        }
        if let Some(open) = self.store.upload(self.path) {
            // An unfinished upload occupies the name (protocol 6.3).
            return Err(unfinished(&open, Some(&sha), filesize));
        }
        self.store
            .put_bytes(self.object_record(filesize, Some(sha)), bytes)?;
        Ok(Some(self.urls()))
    }

    /// `filelen` is what is here, `filesize` what was declared: they differ while an upload is unfinished. While a
    /// complete object is being replaced, it is the one that shows.
    pub(super) fn stat(&self) -> Done {
        if let Some(dir) = self.store.directory(self.path) {
            let reply = [
                ("biz_attr", dir.biz_attr.into()),
                ("ctime", dir.ctime.into()),
                ("mtime", dir.ctime.into()),
            ];
            return Ok(Some(data(reply)));
        }
        if self.path == "/" {
            return Ok(Some(data([
                ("biz_attr", "".into()),
                ("ctime", 0.into()),
                ("mtime", 0.into()),
            ])));
        }
        let mut reply = if let Some(object) = self.store.object(self.path) {
            let r = &object.record;
            let sha = self.store.sha_of(&object)?;
            self.stat_data(
                r.filesize,
                r.filesize,
                r.slice_size,
                sha,
                [r.ctime, r.mtime],
                &r.biz_attr,
            )
        } else if let Some(upload) = self.store.upload(self.path) {
            let r = &upload.record;
            let here = upload.progress().slices.bytes();
            self.stat_data(
                here,
                r.filesize,
                r.slice_size,
                r.sha.clone(),
                [r.ctime, r.ctime],
                &r.biz_attr,
            )
        } else {
            return Err(codes::file_absent());
        };
        let urls = self.urls();
        for key in ["access_url", "preview_url", "source_url"] {
            reply.extend(urls.get(key).map(|url| (key.to_owned(), url.clone())));
        }
        Ok(Some(reply))
    }

    fn stat_data(
        &self,
        filelen: u64,
        filesize: u64,
        slice_size: u64,
        sha: Option<String>,
        [ctime, mtime]: [i64; 2],
        biz_attr: &str,
    ) -> Map<String, Value> {
        let mut reply = data([
            ("authority", "eInvalid".into()),
            ("biz_attr", biz_attr.into()),
            ("ctime", ctime.into()),
            ("custom_headers", json!({})),
            ("filelen", filelen.into()),
            ("filesize", filesize.into()),
            ("forbid", 0.into()),
            ("mtime", mtime.into()),
            ("name", self.path.rsplit('/').next().unwrap_or("").into()),
            ("slicesize", slice_size.into()),
        ]);
        reply.extend(sha.map(|sha| ("sha".to_owned(), sha.into())));
        reply
    }

    /// Works on unfinished uploads as well. The reply has no `data`: 30 bytes.
    pub(super) fn delete(&self) -> Done {
        if self.path == "/" {
            return Err(codes::path_empty());
        }
        if self.path.ends_with('/') && self.store.is_populated(self.path) {
            return Err(codes::directory_not_empty());
        }
        if self.store.remove(self.path)? {
            Ok(None)
        } else {
            Err(codes::file_absent())
        }
    }

    pub(super) fn create(&self) -> Done {
        if self.path == "/" || !self.path.ends_with('/') {
            return Err(codes::path_not_directory());
        }
        let biz_attr = self.fields.text("biz_attr").unwrap_or("").to_owned();
        let made = self.store.make_directory(Directory {
            path: self.path.to_owned(),
            biz_attr,
            ctime: self.now,
        })?;
        if !made {
            return Err(codes::directory_exists());
        }
        let resource = self.urls().remove("resource_path").unwrap_or_default();
        Ok(Some(data([
            ("ctime", self.now.into()),
            ("resource_path", resource),
        ])))
    }
}
