//! Any values for any options: taken and found again, or refused without a change and without telling a secret.
#![no_main]

use std::sync::Arc;

use cosslice::config::{Kind, Opt, Settings, TABLE};
use cosslice::transport::Link;
use cosslice::upload::{Parts, Upload};
use libfuzzer_sys::fuzz_target;

const MARK: &str = "-s3cr3t-m4rk-";

// Lines: an option's number, a space, its value. A line that begins with '/' is the object's path.
fuzz_target!(|input: &[u8]| {
    let Ok(input) = std::str::from_utf8(input) else {
        return;
    };
    let mut settings = Settings::new();
    let mut path = "/object";
    for line in input.split('\n') {
        if line.starts_with('/') {
            path = line;
            continue;
        }
        let Some((number, value)) = line.split_once(' ') else {
            continue;
        };
        let Ok(number) = number.parse::<u32>() else {
            continue;
        };
        // PEM needs line ends.
        let value = value.replace('\t', "\n");
        set_text(&mut settings, number, &value);
        if let Ok(value) = value.parse() {
            set_number(&mut settings, number, value);
        }
    }
    for spec in TABLE {
        if let Kind::Number { min, max, .. } = spec.kind {
            assert!((min..=max).contains(&settings.number(spec.opt)));
        }
    }
    assert!(!settings.endpoint().ends_with('/'));
    let parts = Parts {
        link: Arc::new(Link::new(&settings)),
        settings: settings.clone(),
        clock: Arc::default(),
        signer: None,
        logger: None,
    };
    match Upload::new(parts, path) {
        Ok(_) => assert!(settings.check_complete(false).is_ok()),
        Err(error) => assert!(!error.message.contains(MARK), "{}", error.message),
    }
});

fn set_text(settings: &mut Settings, number: u32, value: &str) {
    let Some(spec) = TABLE.iter().find(|spec| spec.opt as u32 == number) else {
        assert!(settings.set_text(number, value).is_err());
        return;
    };
    // Something to look for in messages: short values are in them by chance.
    let is_secret = matches!(
        spec.opt,
        Opt::SecretKey | Opt::Authorization | Opt::Proxy | Opt::ResumeToken
    );
    let marked = match value.rsplit_once('@') {
        _ if !is_secret => value.to_string(),
        Some((user, host)) => format!("{user}{MARK}@{host}"),
        None => format!("{value}{MARK}"),
    };
    let value = if settings.clone().set_text(number, &marked).is_ok() {
        &marked
    } else {
        value
    };
    if let Err(error) = settings.clone().set_text(number, &marked) {
        assert!(!error.message.contains(MARK), "{}", error.message);
    }
    let before = settings.text(spec.opt).to_string();
    match settings.set_text(number, value) {
        Ok(()) => assert_eq!(settings.text(spec.opt), value),
        Err(_) => assert_eq!(settings.text(spec.opt), before),
    }
}

fn set_number(settings: &mut Settings, number: u32, value: u64) {
    let Some(spec) = TABLE.iter().find(|spec| spec.opt as u32 == number) else {
        assert!(settings.set_number(number, value).is_err());
        return;
    };
    let before = settings.number(spec.opt);
    match settings.set_number(number, value) {
        Ok(()) => assert_eq!(settings.number(spec.opt), value),
        Err(_) => assert_eq!(settings.number(spec.opt), before),
    }
}
