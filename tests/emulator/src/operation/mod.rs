//! The operations (protocol 4): from fields to `data` or a refusal.

mod object;
mod slice;

use crate::codes::{self, Fail};
use crate::form::Fields;
use crate::path::percent_encode;
use crate::random;
use crate::record::Counters;
use crate::settings::{Settings, Urls};
use crate::sign::Account;
use crate::store::{ObjectRecord, Store};
use serde_json::{Map, Value, json};
use std::sync::Mutex;

/// The simple upload's limit (DOC 6066), and that of a sliced object (upgrade guides).
pub const SIMPLE_LIMIT: u64 = 20 << 20;
pub const OBJECT_LIMIT: u64 = 64 << 30;

/// `data` of a success; delete has none.
pub type Done = Result<Option<Map<String, Value>>, Fail>;

/// One operation on one name, with all it may look at.
pub struct Call<'a> {
    pub store: &'a Store,
    pub settings: &'a Settings,
    pub account: &'a Account,
    pub region: &'a str,
    /// `http://127.0.0.1:port`
    pub base: &'a str,
    pub now: i64,
    pub path: &'a str,
    pub fields: &'a Fields<'a>,
    pub counters: &'a Mutex<Counters>,
}

/// delete and update want a one-time signature, everything else a multi-effect one (protocol 3.3).
pub fn needs_one_time(op: &str) -> bool {
    matches!(op, "delete" | "update")
}

impl Call<'_> {
    pub fn run(&self, op: &str) -> Done {
        match op {
            "upload" => self.upload(),
            "upload_slice_init" => self.init(),
            "upload_slice_data" => self.data(),
            "upload_slice_list" => self.list(),
            "upload_slice_finish" => self.finish(),
            "stat" => self.stat(),
            "delete" => self.delete(),
            "create" => self.create(),
            "" => Err(codes::op_missing()),
            _ => Err(codes::not_supported()),
        }
        .map(|data| data.map(|data| self.shape(data)))
    }

    /// A file's name, not a directory's.
    fn file_path(&self) -> Result<(), Fail> {
        match self.path {
            "/" => Err(codes::path_empty()),
            path if path.ends_with('/') => Err(codes::path_not_file()),
            _ => Ok(()),
        }
    }

    /// S1 says that the directory must exist; no SDK makes one first, so this is a switch (protocol 1.1).
    fn parent_there(&self) -> Result<(), Fail> {
        let parent = self.path.rfind('/').map_or("/", |at| &self.path[..=at]);
        if self.settings.require_parent && parent != "/" && self.store.directory(parent).is_none() {
            return Err(codes::file_absent());
        }
        Ok(())
    }

    /// 1 unless the client says 0.
    fn insert_only(&self) -> bool {
        self.fields.text("insertOnly") != Some("0")
    }

    /// The declared SHA-1, in lower case.
    fn sha(&self) -> Result<Option<String>, Fail> {
        let Some(sha) = self.fields.text("sha") else {
            return Ok(None);
        };
        let digest = crate::digest::unhex(sha).ok_or_else(codes::sha_invalid)?;
        Ok(Some(crate::digest::hex(&digest)))
    }

    fn filesize(&self) -> Result<u64, Fail> {
        self.fields
            .number("filesize")
            .ok_or_else(codes::filesize_missing)?
            .ok_or_else(codes::filesize_bad)
    }

    /// A new object of this name; the caller fills in what it knows better.
    fn object_record(&self, filesize: u64, sha: Option<String>) -> ObjectRecord {
        ObjectRecord {
            path: self.path.to_owned(),
            filesize,
            slice_size: 1 << 20,
            sha,
            biz_attr: self.fields.text("biz_attr").unwrap_or("").to_owned(),
            ctime: self.now,
            mtime: self.now,
            session: None,
            data: String::new(),
        }
    }

    /// The URLs of a complete object (protocol 4.5), in the order of S0's reply. They are percent-encoded, as is
    /// resource_path, which clients append to a host.
    fn urls(&self) -> Map<String, Value> {
        let (appid, bucket, region, base) = (
            &self.account.app_id,
            &self.account.bucket,
            self.region,
            self.base,
        );
        let path = percent_encode(self.path);
        let resource = format!("/{appid}/{bucket}{path}");
        let (access, preview, source, url) = match self.settings.urls {
            Urls::Own => (
                format!("{base}{resource}"),
                format!("{base}{resource}?cmd=txt_preview"),
                format!("{base}{resource}"),
                format!("{base}/files/v2{resource}"),
            ),
            Urls::Documented => (
                format!("http://{bucket}-{appid}.file.myqcloud.com{path}"),
                format!("http://{bucket}-{appid}.preview.myqcloud.com{path}?cmd=txt_preview"),
                format!("http://{bucket}-{appid}.cos{region}.myqcloud.com{path}"),
                format!("http://{region}.file.myqcloud.com/files/v2{resource}"),
            ),
        };
        let mut data = Map::new();
        data.insert("access_url".into(), access.into());
        data.insert("preview_url".into(), preview.into());
        data.insert("resource_path".into(), resource.into());
        data.insert("source_url".into(), source.into());
        data.insert("url".into(), url.into());
        if self.settings.vid {
            // 32 hex digits and the seconds (protocol 2).
            data.insert(
                "vid".into(),
                format!("{}{:010}", random::hex(32), self.now).into(),
            );
        }
        data
    }

    /// What a real server might also answer: the settings' distortions of `data`.
    fn shape(&self, mut data: Map<String, Value>) -> Map<String, Value> {
        let settings = self.settings;
        if settings.numbers_as_strings {
            data.values_mut().for_each(numbers_to_strings);
        }
        if settings.listparts_as_string
            && let Some(parts) = data.get_mut("listparts")
        {
            *parts = Value::String(parts.to_string());
        }
        data.extend(settings.data_set.clone());
        data.retain(|key, _| !settings.data_omit.contains(key));
        data
    }
}

fn numbers_to_strings(value: &mut Value) {
    match value {
        Value::Number(n) => *value = n.to_string().into(),
        Value::Array(items) => items.iter_mut().for_each(numbers_to_strings),
        Value::Object(map) => map.values_mut().for_each(numbers_to_strings),
        _ => {}
    }
}

/// Builds `data` from pairs.
fn data<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn part(offset: u64, datalen: u64) -> Value {
    json!({"offset": offset, "datalen": datalen})
}
