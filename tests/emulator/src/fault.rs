//! Faults on demand: rules that pick requests, and what then goes wrong. Deterministic for a seed.

use crate::random::fraction;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What goes wrong. The README has a line for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Wait before the reply.
    Delay,
    /// Read the body slowly.
    Bandwidth,
    /// Run this one request under other settings.
    With,
    /// Make the session of the addressed upload invalid, then go on.
    ExpireSession,
    DropConnect,
    DropBeforeBody,
    DropInBody,
    DropBeforeCommit,
    DropAfterCommit,
    EarlyReply,
    StallBeforeBody,
    Stall,
    Status,
    Code,
    Redirect,
    Cut,
    Garbage,
    WrongTypes,
    Huge,
    Chunked,
}

impl Action {
    /// Must it be known before the body is read?
    pub fn is_early(self) -> bool {
        use Action::{Bandwidth, DropBeforeBody, DropInBody, EarlyReply, StallBeforeBody};
        matches!(
            self,
            Bandwidth | DropBeforeBody | DropInBody | EarlyReply | StallBeforeBody
        )
    }

    /// Does it go together with others? Of the rest, only the first that matches acts.
    fn is_modifier(self) -> bool {
        matches!(
            self,
            Self::Delay | Self::Bandwidth | Self::With | Self::ExpireSession
        )
    }
}

/// One rule: which requests (all conditions must hold), and what to do with them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// An op, `fetch`, `connect` or absent for every signed operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// The object's name, decoded, beginning with `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The `offset` field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// From the k-th such request on, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// How often at most; 1 if `nth` is given, else without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// With this probability, drawn from the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    #[serde(rename = "do")]
    pub action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_s: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// `html`, `xml`, `empty` or the text itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Carry the operation out before the reply goes wrong.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub commit: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Value>,
}

impl Fault {
    /// A rule for every request of `op`; set more fields with struct update syntax.
    pub fn new(op: &str, action: Action) -> Self {
        Self {
            op: Some(op.to_owned()),
            path: None,
            offset: None,
            nth: None,
            count: None,
            p: None,
            action,
            ms: None,
            at: None,
            bytes: None,
            bytes_per_s: None,
            status: None,
            code: None,
            message: None,
            body: None,
            to: None,
            commit: false,
            settings: None,
        }
    }

    pub fn from_json(rule: &Value) -> Result<Self, String> {
        let fault: Self =
            serde_json::from_value(rule.clone()).map_err(|e| format!("{e} in fault {rule}"))?;
        fault.check().map_err(|e| format!("{e} in fault {rule}"))?;
        Ok(fault)
    }

    pub fn list_from_json(rules: &Value) -> Result<Vec<Self>, String> {
        match rules {
            Value::Array(rules) => rules.iter().map(Self::from_json).collect(),
            rule => Ok(vec![Self::from_json(rule)?]),
        }
    }

    fn check(&self) -> Result<(), String> {
        let need = |present: bool, name: &str| {
            if present {
                Ok(())
            } else {
                Err(format!("\"{name}\" is missing"))
            }
        };
        match self.action {
            Action::Delay => need(self.ms.is_some(), "ms"),
            Action::Bandwidth => need(self.bytes_per_s.is_some_and(|b| b > 0), "bytes_per_s"),
            Action::With => {
                need(self.settings.is_some(), "settings")?;
                let changes = self.settings.clone().unwrap_or_default();
                crate::settings::Settings::default()
                    .with(&changes)
                    .map(|_| ())
            }
            Action::Code => need(self.code.is_some(), "code"),
            Action::Status => need(self.status.is_some(), "status"),
            Action::Redirect => need(self.to.is_some(), "to"),
            _ => Ok(()),
        }
    }

    fn matches(&self, request: &Subject) -> bool {
        let op = match self.op.as_deref() {
            None | Some("any") => !matches!(request.op, "fetch" | "connect"),
            Some(op) => op == request.op,
        };
        op && self.path.as_deref().is_none_or(|p| Some(p) == request.path)
            && self.offset.is_none_or(|o| Some(o) == request.offset)
    }
}

/// What the rules look at.
pub struct Subject<'a> {
    pub op: &'a str,
    pub path: Option<&'a str>,
    pub offset: Option<u64>,
}

/// The rules that apply to one request.
#[derive(Debug, Clone, Default)]
pub struct Picked {
    pub modifiers: Vec<Fault>,
    pub terminal: Option<Fault>,
}

impl Picked {
    pub fn names(&self) -> Vec<Action> {
        self.modifiers
            .iter()
            .chain(&self.terminal)
            .map(|f| f.action)
            .collect()
    }

    pub fn modifier(&self, action: Action) -> Option<&Fault> {
        self.modifiers.iter().find(|f| f.action == action)
    }
}

struct Rule {
    fault: Fault,
    seen: u64,
    used: u64,
}

#[derive(Default)]
pub struct Faults {
    rules: Vec<Rule>,
    seed: u64,
}

impl Faults {
    pub fn new(seed: u64, faults: Vec<Fault>) -> Self {
        Self {
            rules: faults
                .into_iter()
                .map(|fault| Rule {
                    fault,
                    seen: 0,
                    used: 0,
                })
                .collect(),
            seed,
        }
    }

    pub fn replace(&mut self, faults: Vec<Fault>) {
        *self = Self::new(self.seed, faults);
    }

    pub fn list(&self) -> Vec<Value> {
        let row = |r: &Rule| {
            let mut rule = serde_json::to_value(&r.fault).unwrap_or_default();
            rule["seen"] = r.seen.into();
            rule["used"] = r.used.into();
            rule
        };
        self.rules.iter().map(row).collect()
    }

    /// Is there a rule that needs the op before the body is read?
    pub fn any_early(&self) -> bool {
        self.rules.iter().any(|r| r.fault.action.is_early())
    }

    /// Is there a rule for one offset?
    pub fn any_offset(&self) -> bool {
        self.rules.iter().any(|r| r.fault.offset.is_some())
    }

    pub fn pick(&mut self, request: &Subject) -> Picked {
        let mut picked = Picked::default();
        for (number, rule) in self.rules.iter_mut().enumerate() {
            let fault = &rule.fault;
            if !fault.matches(request) {
                continue;
            }
            rule.seen += 1;
            let limit = fault
                .count
                .unwrap_or(if fault.nth.is_some() { 1 } else { u64::MAX });
            let drawn = fault
                .p
                .is_none_or(|p| fraction(self.seed, number as u64, rule.seen) < p);
            let taken = !fault.action.is_modifier() && picked.terminal.is_some();
            if rule.seen < fault.nth.unwrap_or(1) || rule.used >= limit || !drawn || taken {
                continue;
            }
            rule.used += 1;
            if fault.action.is_modifier() {
                picked.modifiers.push(fault.clone());
            } else {
                picked.terminal = Some(fault.clone());
            }
        }
        picked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(rule: Value, requests: u64) -> Vec<u64> {
        let mut faults = Faults::new(7, vec![Fault::from_json(&rule).expect("rule")]);
        let subject = Subject {
            op: "upload",
            path: None,
            offset: None,
        };
        (1..=requests)
            .filter(|_| faults.pick(&subject).terminal.is_some())
            .collect()
    }

    #[test]
    fn picking() {
        assert_eq!(run(json!({"op":"upload","do":"stall","nth":3}), 9), [3]);
        assert_eq!(run(json!({"do":"stall","nth":3,"count":2}), 9), [3, 4]);
        assert_eq!(run(json!({"do":"stall","count":2}), 9), [1, 2]);
        assert_eq!(run(json!({"do":"stall"}), 3), [1, 2, 3]);
        assert!(run(json!({"op":"fetch","do":"stall"}), 3).is_empty());
        let drawn = run(json!({"do":"stall","p":0.25}), 1000);
        assert!((200..300).contains(&drawn.len()), "{}", drawn.len());
        assert_eq!(drawn, run(json!({"do":"stall","p":0.25}), 1000));
    }

    #[test]
    fn typos_are_refused() {
        for bad in [
            json!({"do":"explode"}),
            json!({"do":"stall","nht":1}),
            json!({"do":"code"}),
            json!({"do":"with","settings":{"seriall":true}}),
            json!(7),
        ] {
            assert!(Fault::from_json(&bad).is_err(), "{bad}");
        }
    }
}
