//! `GET /`: what is stored and what is on its way, for people. Self-contained; it fetches itself anew each second.

use crate::clock;
use crate::path::percent_encode;
use crate::record::LogLine;
use crate::reply::Reply;
use crate::server::Shared;
use crate::store::Object;
use crate::upload::{Upload, lock};
use std::fmt::Write as _;
use std::time::Duration;

/// More slices than this share a square.
const CELLS: u64 = 1024;
/// More rows than this are only counted.
const ROWS: usize = 200;

const HEAD: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>cosslice emulator</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<noscript><meta http-equiv="refresh" content="2"></noscript>
<link rel="icon" href="data:,">
<style>
:root{color-scheme:light dark;--line:#8884;--dim:#777;--done:#2e8b57;--part:#d9a300;--bad:light-dark(#c0392b,#ff8a7a)}
body{font:15px/1.45 system-ui,sans-serif;margin:1.5rem auto;max-width:66rem;padding:0 1rem}
h1{font-size:1.3rem;margin:0}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}
p{margin:.2rem 0}.dim{color:var(--dim)}
table{border-collapse:collapse;width:100%}th{text-align:left;font-weight:600;color:var(--dim)}
th,td{padding:.2rem .7rem .2rem 0;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
td.name{overflow-wrap:anywhere;min-width:7rem}main{overflow-x:auto}code{font-size:.85em}
.map{display:flex;flex-wrap:wrap;gap:1px;margin:.35rem 0}
.map i{width:9px;height:9px;background:var(--line)}
.map i.d{background:var(--done)}.map i.p{background:var(--part)}
.bar{height:5px;background:var(--line)}.bar b{display:block;height:5px;background:var(--done)}
.upload{margin:.7rem 0 1.1rem}.bad{color:var(--bad)}
</style></head><body>
"#;

const TAIL: &str = r"<script>
setInterval(async()=>{try{const t=await(await fetch('/')).text();
document.querySelector('main').replaceWith(new DOMParser().parseFromString(t,'text/html').querySelector('main'))}
catch(e){}},1000)
</script></body></html>
";

pub fn page(shared: &Shared) -> Reply {
    let mut html = HEAD.to_owned();
    // Writing to a String cannot fail.
    let _ = write_main(&mut html, shared);
    html.push_str(TAIL);
    let mut reply = Reply::new(200, "text/html; charset=utf-8", html);
    reply.headers.push(("Cache-Control", "no-store".into()));
    reply
}

fn write_main(html: &mut String, shared: &Shared) -> std::fmt::Result {
    let account = &shared.account;
    let counters = lock(&shared.recorder.counters).clone();
    let (uploads, objects) = (shared.store.uploads(), shared.store.objects());
    write!(
        html,
        "<main><h1>cosslice emulator</h1><p>endpoint <code>{}/files/v2</code>, app id <code>{}</code>, bucket \
         <code>{}</code>{}</p><p class=dim>{} requests on {} connections, {} received, {} slices stored, {} sent \
         again</p>",
        escape(&shared.base),
        escape(&account.app_id),
        escape(&account.bucket),
        if shared.discard {
            ", <b>data is discarded</b>"
        } else {
            ""
        },
        counters.requests,
        counters.connections,
        size(counters.body_bytes),
        counters.slices_stored,
        counters.slices_again,
    )?;
    write!(html, "<h2>Open uploads ({})</h2>", uploads.len())?;
    if uploads.is_empty() {
        html.push_str("<p class=dim>none</p>");
    }
    for upload in uploads.iter().take(ROWS) {
        write_upload(html, upload)?;
    }
    write!(html, "<h2>Objects ({})</h2>", objects.len())?;
    if objects.is_empty() {
        html.push_str("<p class=dim>none</p>");
    } else {
        html.push_str("<table><tr><th>name<th class=n>size<th>SHA-1<th>stored</tr>");
        for object in objects.iter().take(ROWS) {
            write_object(html, shared, object)?;
        }
        html.push_str("</table>");
        if objects.len() > ROWS {
            write!(html, "<p class=dim>and {} more</p>", objects.len() - ROWS)?;
        }
    }
    write_lines(html, "Last failures", &shared.recorder.failures())?;
    write_lines(html, "Last requests", &shared.recorder.log())?;
    html.push_str("</main>");
    Ok(())
}

fn write_upload(html: &mut String, upload: &Upload) -> std::fmt::Result {
    let record = &upload.record;
    let progress = upload.progress();
    let slices = &progress.slices;
    let percent = slices.bytes() as f64 * 100.0 / record.filesize.max(1) as f64;
    let rate = match (progress.first, progress.last) {
        (Some(first), Some(last)) if last.elapsed() < Duration::from_secs(5) => {
            let seconds = last.duration_since(first).as_secs_f64().max(0.001);
            format!("{}/s", size((progress.fresh_bytes as f64 / seconds) as u64))
        }
        _ => "idle".to_owned(),
    };
    write!(
        html,
        "<div class=upload><b>{}</b> {} of {}, {} of {} slices of {}, {percent:.1} %, {rate}{}{}\
         <p class=bar><b style=\"width:{percent:.1}%\"></b></p><div class=map>",
        escape(&record.path),
        size(slices.bytes()),
        size(record.filesize),
        slices.stored(),
        slices.count(),
        size(record.slice_size),
        if record.sha.is_some() {
            ", sha declared"
        } else {
            ""
        },
        if record.serial { ", serial" } else { "" },
    )?;
    for share in slices.shares(CELLS) {
        html.push_str(match share {
            s if s >= 1.0 => "<i class=d></i>",
            s if s > 0.0 => "<i class=p></i>",
            _ => "<i></i>",
        });
    }
    html.push_str("</div></div>");
    Ok(())
}

fn write_object(html: &mut String, shared: &Shared, object: &Object) -> std::fmt::Result {
    let (record, account) = (&object.record, &shared.account);
    let resource = format!("/{}/{}{}", account.app_id, account.bucket, record.path);
    writeln!(
        html,
        "<tr><td class=name><a href=\"{}\">{}</a><td class=n>{}<td><code>{}</code><td>{}</tr>",
        escape(&percent_encode(&resource)),
        escape(&record.path),
        size(record.filesize),
        object.known_sha().unwrap_or_else(|| "not asked for".into()),
        clock::http_date(record.mtime),
    )
}

fn write_lines(html: &mut String, title: &str, lines: &[LogLine]) -> std::fmt::Result {
    write!(html, "<h2>{title}</h2>")?;
    if lines.is_empty() {
        html.push_str("<p class=dim>none</p>");
        return Ok(());
    }
    html.push_str("<table><tr><th class=n>#<th>time<th>op<th>name<th>reply</tr>");
    for line in lines {
        write_line(html, line)?;
    }
    html.push_str("</table>");
    Ok(())
}

fn write_line(html: &mut String, line: &LogLine) -> std::fmt::Result {
    let outcome = match (line.status, line.code) {
        (0, _) => "no reply".to_owned(),
        (status, None) => status.to_string(),
        (status, Some(0)) => format!("{status}, 0"),
        (status, Some(code)) => format!("{status}, {code} {}", line.message),
    };
    let faults: Vec<String> = line.faults.iter().map(|f| format!("{f:?}")).collect();
    let faults = if faults.is_empty() {
        String::new()
    } else {
        format!(" (fault: {})", faults.join(", "))
    };
    let date = clock::http_date(line.time);
    writeln!(
        html,
        "<tr><td class=n>{}<td>{}<td>{}<td class=name>{}<td{}>{}{}</tr>",
        line.seq,
        date.get(17..25).unwrap_or(""),
        escape(&line.op),
        escape(&line.path),
        if line.is_fine() { "" } else { " class=bad" },
        escape(&outcome),
        escape(&faults),
    )
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = "bytes";
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "bytes" {
        format!("{bytes} bytes")
    } else {
        format!("{value:.1} {unit}")
    }
}
