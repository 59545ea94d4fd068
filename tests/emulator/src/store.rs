//! Objects, open uploads and directories, in memory and on disk. Layout of the data directory:
//!
//! - `data/<id>`: bytes, preallocated to the declared size and written at offsets;
//! - `objects/<h>.json`, `dirs/<h>.json`: one per name, h being the SHA-1 of the name, so that any name is safe;
//! - `uploads/<h>.json`, `.parts`, `.journal`: what init declared, its datashas (20 bytes each), the stored slices.
//!
//! JSON is written beside and renamed. An object comes into being by the rename of its JSON, which names its data
//! file; finish therefore moves no bytes. With `discard` nothing is written at all.

use crate::clock;
use crate::digest::{self, Digest};
use crate::random;
use crate::slices::Slices;
use crate::upload::{Upload, UploadRecord, lock, replay};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ObjectRecord {
    pub path: String,
    pub filesize: u64,
    pub slice_size: u64,
    pub sha: Option<String>,
    pub biz_attr: String,
    pub ctime: i64,
    pub mtime: i64,
    /// The session it was uploaded with, to tell a second finish from a foreign one.
    pub session: Option<String>,
    /// Name of the data file; empty when data is discarded.
    pub data: String,
}

pub struct Object {
    pub record: ObjectRecord,
    /// Computed when first asked for, unless it was declared and proven: reading GiBs back at every finish would
    /// slow down uploads that never ask.
    sha: Mutex<Option<String>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Directory {
    pub path: String,
    pub biz_attr: String,
    pub ctime: i64,
}

#[derive(Default)]
struct Names {
    objects: BTreeMap<String, Arc<Object>>,
    uploads: BTreeMap<String, Arc<Upload>>,
    dirs: BTreeMap<String, Directory>,
}

pub struct Store {
    root: PathBuf,
    discard: bool,
    names: Mutex<Names>,
}

fn file_name(path: &str) -> String {
    digest::hex(&digest::sha1(path.as_bytes()))
}

fn write_json(target: &Path, value: &impl Serialize) -> io::Result<()> {
    let beside = target.with_extension(format!("tmp{}", random::hex(8)));
    fs::write(&beside, serde_json::to_vec(value)?)?;
    fs::rename(beside, target)
}

/// The records of one kind; a file that cannot be read is reported and left alone.
fn read_all<T: DeserializeOwned>(dir: &Path) -> io::Result<Vec<T>> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir)? {
        let file = entry?.path();
        let name = file.extension().and_then(|e| e.to_str()).unwrap_or("");
        if name.starts_with("tmp") {
            fs::remove_file(&file)?;
        } else if name == "json" {
            match fs::read(&file).and_then(|text| Ok(serde_json::from_slice(&text)?)) {
                Ok(record) => out.push(record),
                Err(e) => eprintln!("cosslice-emulator: {}: {e}", file.display()),
            }
        }
    }
    Ok(out)
}

fn remove_if_there(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

impl Store {
    pub fn open(root: &Path, discard: bool) -> io::Result<Self> {
        let store = Self {
            root: root.to_owned(),
            discard,
            names: Mutex::default(),
        };
        if discard {
            return Ok(store);
        }
        for dir in ["data", "objects", "uploads", "dirs"] {
            fs::create_dir_all(root.join(dir))?;
        }
        let mut names = Names::default();
        for record in read_all::<ObjectRecord>(&root.join("objects"))? {
            names
                .objects
                .insert(record.path.clone(), Object::new(record));
        }
        for dir in read_all::<Directory>(&root.join("dirs"))? {
            names.dirs.insert(dir.path.clone(), dir);
        }
        let committed: HashSet<String> = names
            .objects
            .values()
            .map(|o| o.record.data.clone())
            .collect();
        for record in read_all::<UploadRecord>(&root.join("uploads"))? {
            if committed.contains(&record.data) {
                // Killed between the object's rename and the removal of its upload: the finish counts.
                store.forget_upload(&record.path)?;
                continue;
            }
            let path = record.path.clone();
            match store.reopen(record) {
                Ok(upload) => drop(names.uploads.insert(path, Arc::new(upload))),
                Err(e) => eprintln!("cosslice-emulator: upload of {path} is lost: {e}"),
            }
        }
        let used: HashSet<String> = committed
            .into_iter()
            .chain(names.uploads.values().map(|u| u.record.data.clone()))
            .collect();
        for entry in fs::read_dir(root.join("data"))? {
            let entry = entry?;
            if !used.contains(&*entry.file_name().to_string_lossy()) {
                fs::remove_file(entry.path())?;
            }
        }
        *lock(&store.names) = names;
        Ok(store)
    }

    fn reopen(&self, record: UploadRecord) -> io::Result<Upload> {
        let mut slices = Slices::new(record.filesize, record.slice_size);
        replay(
            &fs::read(self.file("uploads", &record.path, "journal"))?,
            &mut slices,
        );
        let datashas = fs::read(self.file("uploads", &record.path, "parts"))?
            .as_chunks::<20>()
            .0
            .to_vec();
        let files = self.upload_files(&record)?;
        Ok(Upload::new(record, datashas, Some(files), slices))
    }

    fn upload_files(&self, record: &UploadRecord) -> io::Result<(File, File)> {
        let mut options = OpenOptions::new();
        let data = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.data(&record.data))?;
        data.set_len(record.filesize)?;
        let journal =
            OpenOptions::new()
                .append(true)
                .open(self.file("uploads", &record.path, "journal"))?;
        // A torn last entry would shift all that follow.
        journal.set_len(journal.metadata()?.len() / 8 * 8)?;
        Ok((data, journal))
    }

    fn file(&self, kind: &str, path: &str, extension: &str) -> PathBuf {
        self.root
            .join(kind)
            .join(file_name(path))
            .with_extension(extension)
    }

    fn data(&self, name: &str) -> PathBuf {
        self.root.join("data").join(name)
    }

    pub fn object(&self, path: &str) -> Option<Arc<Object>> {
        lock(&self.names).objects.get(path).cloned()
    }

    pub fn upload(&self, path: &str) -> Option<Arc<Upload>> {
        lock(&self.names).uploads.get(path).cloned()
    }

    pub fn directory(&self, path: &str) -> Option<Directory> {
        lock(&self.names).dirs.get(path).cloned()
    }

    pub fn objects(&self) -> Vec<Arc<Object>> {
        lock(&self.names).objects.values().cloned().collect()
    }

    pub fn uploads(&self) -> Vec<Arc<Upload>> {
        lock(&self.names).uploads.values().cloned().collect()
    }

    pub fn directories(&self) -> Vec<String> {
        lock(&self.names).dirs.keys().cloned().collect()
    }

    /// Does anything live under this directory?
    pub fn is_populated(&self, dir: &str) -> bool {
        let names = lock(&self.names);
        let below = |path: &str| path.len() > dir.len() && path.starts_with(dir);
        names
            .objects
            .keys()
            .chain(names.uploads.keys())
            .chain(names.dirs.keys())
            .any(|p| below(p))
    }

    /// Opens an upload, unless one is open under that name: then that one is the error.
    pub fn begin(
        &self,
        mut record: UploadRecord,
        datashas: Vec<Digest>,
    ) -> io::Result<Result<Arc<Upload>, Arc<Upload>>> {
        let mut names = lock(&self.names);
        if let Some(open) = names.uploads.get(&record.path) {
            return Ok(Err(open.clone()));
        }
        let slices = Slices::new(record.filesize, record.slice_size);
        let files = if self.discard {
            None
        } else {
            record.data = random::hex(32);
            fs::write(self.file("uploads", &record.path, "journal"), b"")?;
            fs::write(
                self.file("uploads", &record.path, "parts"),
                datashas.as_flattened(),
            )?;
            let files = self.upload_files(&record)?;
            write_json(&self.file("uploads", &record.path, "json"), &record)?;
            Some(files)
        };
        let upload = Arc::new(Upload::new(record, datashas, files, slices));
        names
            .uploads
            .insert(upload.record.path.clone(), upload.clone());
        Ok(Ok(upload))
    }

    /// Makes a complete upload the object of that name, in the place of an older one.
    pub fn commit(&self, upload: &Upload, sha: Option<String>) -> io::Result<Arc<Object>> {
        let r = &upload.record;
        let record = ObjectRecord {
            path: r.path.clone(),
            filesize: r.filesize,
            slice_size: r.slice_size,
            sha,
            biz_attr: r.biz_attr.clone(),
            ctime: r.ctime,
            mtime: clock::now(),
            session: Some(upload.session()),
            data: r.data.clone(),
        };
        let mut names = lock(&self.names);
        let object = self.put(&mut names, record)?;
        names.uploads.remove(&r.path);
        self.forget_upload(&r.path)?;
        Ok(object)
    }

    /// Stores an object whose bytes are all here.
    pub fn put_bytes(&self, mut record: ObjectRecord, bytes: &[u8]) -> io::Result<Arc<Object>> {
        if !self.discard {
            record.data = random::hex(32);
            fs::write(self.data(&record.data), bytes)?;
        }
        self.put(&mut lock(&self.names), record)
    }

    /// Stores an object whose bytes another object has: instant upload.
    pub fn put_link(&self, mut record: ObjectRecord, source: &Object) -> io::Result<Arc<Object>> {
        if !self.discard {
            record.data = random::hex(32);
            let (from, to) = (self.data(&source.record.data), self.data(&record.data));
            fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop))?;
        }
        self.put(&mut lock(&self.names), record)
    }

    fn put(&self, names: &mut Names, record: ObjectRecord) -> io::Result<Arc<Object>> {
        if !self.discard {
            write_json(&self.file("objects", &record.path, "json"), &record)?;
        }
        let object = Object::new(record);
        let old = names
            .objects
            .insert(object.record.path.clone(), object.clone());
        if let Some(old) = old.filter(|old| !old.record.data.is_empty()) {
            remove_if_there(&self.data(&old.record.data))?;
        }
        Ok(object)
    }

    fn forget_upload(&self, path: &str) -> io::Result<()> {
        if self.discard {
            return Ok(());
        }
        // The JSON first: without it the others are nothing.
        for extension in ["json", "journal", "parts"] {
            remove_if_there(&self.file("uploads", path, extension))?;
        }
        Ok(())
    }

    pub fn make_directory(&self, dir: Directory) -> io::Result<bool> {
        let mut names = lock(&self.names);
        if names.dirs.contains_key(&dir.path) {
            return Ok(false);
        }
        if !self.discard {
            write_json(&self.file("dirs", &dir.path, "json"), &dir)?;
        }
        names.dirs.insert(dir.path.clone(), dir);
        Ok(true)
    }

    /// Removes whatever has that name: object, open upload, directory. Was there anything?
    pub fn remove(&self, path: &str) -> io::Result<bool> {
        let mut names = lock(&self.names);
        let (object, upload) = (names.objects.remove(path), names.uploads.remove(path));
        let dir = names.dirs.remove(path);
        if !self.discard {
            if object.is_some() {
                remove_if_there(&self.file("objects", path, "json"))?;
            }
            if upload.is_some() {
                self.forget_upload(path)?;
            }
            if dir.is_some() {
                remove_if_there(&self.file("dirs", path, "json"))?;
            }
            let data = object
                .iter()
                .map(|o| &o.record.data)
                .chain(upload.iter().map(|u| &u.record.data));
            for name in data {
                remove_if_there(&self.data(name))?;
            }
        }
        Ok(object.is_some() || upload.is_some() || dir.is_some())
    }

    pub fn reset(&self) -> io::Result<()> {
        let paths: Vec<String> = {
            let names = lock(&self.names);
            names
                .objects
                .keys()
                .chain(names.uploads.keys())
                .chain(names.dirs.keys())
                .cloned()
                .collect()
        };
        paths
            .iter()
            .try_for_each(|path| self.remove(path).map(drop))
    }

    /// The bytes of an object; `None` when they were discarded.
    pub fn open_data(&self, object: &Object) -> io::Result<Option<File>> {
        (!object.record.data.is_empty())
            .then(|| File::open(self.data(&object.record.data)))
            .transpose()
    }

    /// The SHA-1 of an open upload's data file, read back.
    pub fn sha_of_upload(&self, upload: &Upload) -> io::Result<Option<String>> {
        if upload.record.data.is_empty() {
            return Ok(None);
        }
        let file = File::open(self.data(&upload.record.data))?;
        Ok(Some(digest::hex(&digest::sha1_of_file(&file)?)))
    }

    /// The SHA-1 of an object: known, or computed now and kept. `None` when its data was discarded.
    pub fn sha_of(&self, object: &Object) -> io::Result<Option<String>> {
        let mut sha = lock(&object.sha);
        if sha.is_none()
            && let Some(file) = self.open_data(object)?
        {
            let known = digest::hex(&digest::sha1_of_file(&file)?);
            *sha = Some(known.clone());
            let names = lock(&self.names);
            // Only if the name still means this object.
            if names
                .objects
                .get(&object.record.path)
                .is_some_and(|o| o.record.data == object.record.data)
            {
                let record = ObjectRecord {
                    sha: Some(known),
                    ..object.record.clone()
                };
                write_json(&self.file("objects", &record.path, "json"), &record)?;
            }
        }
        Ok(sha.clone())
    }

    /// Any object with this content: instant upload looks through the whole bucket.
    pub fn find_content(&self, sha: &str, filesize: u64) -> Option<Arc<Object>> {
        // An object that is deleted while it is read is simply not found.
        let same = |o: &Arc<Object>| self.sha_of(o).ok().flatten().is_some_and(|s| s == sha);
        self.objects()
            .into_iter()
            .find(|o| o.record.filesize == filesize && same(o))
    }
}

impl Object {
    fn new(record: ObjectRecord) -> Arc<Self> {
        Arc::new(Self {
            sha: Mutex::new(record.sha.clone()),
            record,
        })
    }

    /// The SHA-1, if it is known already; never waits for one that is being computed.
    pub fn known_sha(&self) -> Option<String> {
        self.sha.try_lock().ok().and_then(|sha| sha.clone())
    }
}
