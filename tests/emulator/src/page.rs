//! placeholder
use crate::server::Shared;
use crate::wire::Reply;
pub fn page(_: &Shared) -> Reply {
    Reply::new(200, "text/html; charset=utf-8", "<!doctype html>")
}
