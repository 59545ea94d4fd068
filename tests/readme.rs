//! The READMEs show code that is in the tree, and speak of the same things in the same order.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

const ENGLISH: &str = include_str!("../README.md");
const CHINESE: &str = include_str!("../README.zh-CN.md");

/// The fenced blocks of one language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    text.split(&format!("```{language}\n"))
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

#[test]
fn the_postcard_is_the_file() {
    let file = include_str!("../bindings/c/postcard.c");
    for readme in [ENGLISH, CHINESE] {
        let shown = blocks(readme, "c")[0];
        assert!(file.ends_with(shown), "the postcard in the README is stale");
        assert!(shown.len() > 1000);
    }
}

#[test]
fn both_languages_show_the_same_code_and_the_same_tables() {
    for language in ["c", "cpp", "python", "kotlin"] {
        assert_eq!(blocks(ENGLISH, language), blocks(CHINESE, language));
    }
    let shape = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.starts_with('#') || line.starts_with('|') || line.starts_with("- "))
            .map(|line| line.chars().take_while(|c| "#|-".contains(*c)).collect())
            .collect()
    };
    assert_eq!(
        shape(ENGLISH),
        shape(CHINESE),
        "the READMEs are out of step"
    );
}

#[test]
fn versions_are_equal_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    let python = include_str!("../bindings/python/pyproject.toml");
    assert!(python.contains(&format!("version = \"{version}\"")));
    let loaded = unsafe_version();
    assert_eq!(loaded, version);
}

#[allow(unsafe_code)]
fn unsafe_version() -> &'static str {
    // SAFETY: static text with a NUL at its end.
    unsafe { std::ffi::CStr::from_ptr(cosslice::ffi::cosslice_version()) }
        .to_str()
        .unwrap()
}
