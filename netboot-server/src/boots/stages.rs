//! How long each stage of a boot took.

use serde::Serialize;

use super::boot::Record;
use crate::telemetry::events::{Kind, Progress};

/// A stage of a boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stage {
    /// What the machine had at its end; `None` for the last one of a boot that ended on the way.
    pub reached: Option<Progress>,
    /// Milliseconds from the boot's first event to its beginning.
    pub after_ms: u64,
    /// Milliseconds that it took.
    pub took_ms: u64,
    /// Bytes of files that were sent in it.
    pub bytes: u64,
    /// TFTP datagrams that were sent again.
    pub retransmissions: u64,
}

/// The stages of a boot, in the order in which they were reached.
#[must_use]
pub fn stages(record: &Record) -> Vec<Stage> {
    let began = record.boot.began;
    let mut stages = Vec::new();
    let mut stage = Stage {
        reached: None,
        after_ms: 0,
        took_ms: 0,
        bytes: 0,
        retransmissions: 0,
    };
    for event in &record.events {
        match &event.kind {
            Kind::TftpSent {
                bytes,
                retransmissions,
                ..
            } => {
                stage.bytes += bytes;
                stage.retransmissions += retransmissions;
            }
            Kind::HttpSent { bytes, .. } | Kind::TftpFailed { bytes, .. } => stage.bytes += bytes,
            _ => {}
        }
        let at = event.at.duration_since(began).as_millis();
        let at = u64::try_from(at).unwrap_or(0);
        stage.took_ms = at.saturating_sub(stage.after_ms);
        if let Some(reached) = event.reached.filter(|it| *it != Progress::Asked) {
            let next = Stage {
                reached: None,
                after_ms: at,
                took_ms: 0,
                bytes: 0,
                retransmissions: 0,
            };
            let done = std::mem::replace(&mut stage, next);
            stages.push(Stage {
                reached: Some(reached),
                ..done
            });
        }
    }
    if stage.took_ms > 0 || stage.bytes > 0 {
        stages.push(stage);
    }
    stages
}
