//! How the emulator behaves: modes that can be changed while it runs, or for a single request by a fault.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    Sorted,
    Reversed,
    Shuffled,
}

/// What the `datasha` of an entry of `uploadparts` is (protocol 5; `plain` is 58.com's dialect).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Datasha {
    Chained,
    Plain,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urls {
    /// On this server, so that they can be fetched.
    Own,
    /// On the hosts that the documents show.
    Documented,
}

/// See the README for each. Unknown names are refused, so that a typo in a test does not pass silently.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub serial: bool,
    pub slice_size: Option<u64>,
    pub slice_sizes: Vec<u64>,
    pub clock_skew_s: i64,
    pub expired_code: i64,
    pub max_lifetime_s: Option<i64>,
    pub session_code: i64,
    pub second_finish_code: i64,
    pub session_len: usize,
    pub require_parent: bool,
    pub datasha: Datasha,
    pub urls: Urls,
    pub vid: bool,
    pub omit_request_id: bool,
    pub xml_errors: bool,
    pub numbers_as_strings: bool,
    pub listparts_as_string: bool,
    pub listparts_order: Order,
    pub listparts_hide: Vec<u64>,
    pub listparts_extra: Vec<Value>,
    pub sha_suffix: String,
    pub data_set: Map<String, Value>,
    pub data_omit: Vec<String>,
    pub latency_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            serial: false,
            slice_size: None,
            slice_sizes: vec![1 << 20],
            clock_skew_s: 0,
            expired_code: -59,
            max_lifetime_s: None,
            session_code: -290,
            second_finish_code: -290,
            session_len: 56,
            require_parent: false,
            datasha: Datasha::Chained,
            urls: Urls::Own,
            vid: true,
            omit_request_id: false,
            xml_errors: false,
            numbers_as_strings: false,
            listparts_as_string: false,
            listparts_order: Order::Sorted,
            listparts_hide: Vec::new(),
            listparts_extra: Vec::new(),
            sha_suffix: String::new(),
            data_set: Map::new(),
            data_omit: Vec::new(),
            latency_ms: 0,
        }
    }
}

impl Settings {
    /// These settings with the named ones changed.
    pub fn with(&self, changes: &Value) -> Result<Self, String> {
        let Value::Object(changes) = changes else {
            return Err("settings must be a JSON object".into());
        };
        let mut all = serde_json::to_value(self).map_err(|e| e.to_string())?;
        if let Value::Object(all) = &mut all {
            all.extend(changes.clone());
        }
        let settings: Self = serde_json::from_value(all).map_err(|e| e.to_string())?;
        if settings.slice_size == Some(0) || settings.slice_sizes.contains(&0) {
            return Err("a slice size of 0 cannot work".into());
        }
        if !(1..=4096).contains(&settings.session_len) {
            return Err("session_len must be 1 to 4096".into());
        }
        Ok(settings)
    }
}
