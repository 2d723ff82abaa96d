//! A boot and what is found in it as one document.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Finding;
use crate::boots::{Record, stages};

/// A boot as a document: what it was, its stages, its events as lines, and the findings.
///
/// # Errors
///
/// Where a part of it cannot be written as JSON.
pub fn document(
    record: &Record,
    findings: &[Finding],
    now: Timestamp,
) -> Result<Value, serde_json::Error> {
    let events = record.events.iter().map(|event| {
        let mut document = serde_json::to_value(&**event)?;
        if let Some(fields) = document.as_object_mut() {
            let after = event.at.duration_since(record.boot.began);
            fields.insert("line".into(), event.to_string().into());
            fields.insert("after_ms".into(), json!(after.as_millis()));
            fields.insert("failed".into(), json!(event.kind.failed()));
        }
        Ok(document)
    });
    let events = events.collect::<Result<Vec<_>, serde_json::Error>>()?;
    Ok(json!({
        "boot": record.boot,
        "outcome": record.boot.outcome(now),
        "left_out": record.boot.left_out(),
        "findings": findings,
        "stages": stages(record),
        "events": events,
    }))
}
