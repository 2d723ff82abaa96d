//! TFTP on the boot network: what a name means, and what a transfer tells the event stream.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use netboot_image::FileRef;
use netboot_tftp::server::{Cap, Content, Event, Failure, Refusal, Request, Source};
use netboot_tftp::{ErrorCode, RelativePath, Stats, TransferError, TransferSettings};

use crate::boot_files::{BootFiles, ScriptRequest};
use crate::identity::{Identity, UrlClaim};
use crate::paths::image_file;
use crate::policy::{Origin, served_to};
use crate::telemetry::Telemetry;
use crate::telemetry::events::{Kind, Protocol, TftpEnd, shown};

/// Files by TFTP: the operator's, then the distribution's boot programs, then the scripts under the
/// names that iPXE, GRUB, U-Boot and PXELINUX ask for, then the operator's whose names are in another
/// case.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    boot_files: BootFiles,
}

impl Files {
    pub(crate) fn new(boot_files: BootFiles) -> Self {
        Self { boot_files }
    }

    /// What a name means. Blocks.
    fn find(
        &self,
        name: &[u8],
        client: SocketAddr,
        local: Option<IpAddr>,
    ) -> Result<Content, Refusal> {
        let path = RelativePath::decode(name)
            .map_err(|error| Refusal::access_violation().with_detail(error))?
            .to_string();
        let address = client.ip().to_canonical();
        let world = self.boot_files.worlds().recent();
        let path = self
            .boot_files
            .second_stage(&world, address, &path)
            .unwrap_or(path);
        let missing = match self.boot_files.own_file(&path) {
            Ok(content) => return Ok(content),
            Err(refusal) => refusal,
        };
        if let Some(program) = world.programs().path(&path) {
            return netboot_image::open_source(program)
                .and_then(Content::from_file)
                .map_err(|error| Refusal::not_found().with_detail(error));
        }
        if let Some(file) = image_file(&path) {
            return self.image(file);
        }
        let language = served_to(address, world.programs(), &path);
        let (Some(language), Some(local)) = (language, local) else {
            let similar = self.boot_files.similar_file(&path);
            return similar.map_err(|_| missing);
        };
        let origin = Origin {
            server: local.to_canonical(),
            http_port: world.config().ports.http.get(),
            secure: false,
        };
        self.boot_files
            .script(
                &world,
                &ScriptRequest {
                    language,
                    address,
                    seen: self.boot_files.identity().machine_at(address),
                    claim: &UrlClaim::new(&path, ""),
                    origin,
                    by: Protocol::Tftp,
                    path: &path,
                },
            )
            .map(|script| Content::Bytes(script.text.clone()))
            .map_err(|error| Refusal::not_found().with_detail(error))
    }
}

impl Files {
    /// A file of an image: GRUB without HTTP, U-Boot and PXELINUX load kernels so.
    fn image(&self, path: &str) -> Result<Content, Refusal> {
        let file =
            FileRef::from_str(path).map_err(|error| Refusal::not_found().with_detail(error))?;
        let opened = self.boot_files.worlds().store().open_file(&file);
        let opened = opened.map_err(|error| Refusal::not_found().with_detail(error))?;
        Content::from_file(opened.file).map_err(|error| Refusal::not_found().with_detail(error))
    }
}

/// How often the first packet of a transfer is sent again to an address that nobody is known to
/// have: whoever writes another's address into a request has little sent there, and a client whose
/// packet is lost asks again itself.
const RETRIES_TO_STRANGERS: u32 = 1;

impl Source for Files {
    async fn open(&self, request: &Request<'_>) -> Result<Content, Refusal> {
        let (client, local) = (request.client, request.local);
        let (files, name) = (self.clone(), request.name.to_vec());
        // The store and the folder are read from files.
        let found = tokio::task::spawn_blocking(move || files.find(&name, client, local)).await;
        found.unwrap_or_else(|error| Err(Refusal::not_found().with_detail(error)))
    }

    fn patience(&self, request: &Request<'_>, settings: TransferSettings) -> TransferSettings {
        let address = request.client.ip().to_canonical();
        match self.boot_files.identity().was_given(address) {
            true => settings,
            false => settings.max_first_retries(RETRIES_TO_STRANGERS),
        }
    }
}

/// Puts what the TFTP server observed into the event stream.
pub(crate) fn observe(identity: &Identity, telemetry: &Telemetry, event: &Event<'_>) {
    let shown = |name: &[u8]| shown(&String::from_utf8_lossy(name));
    let emit = |client: SocketAddr, kind: &dyn Fn(IpAddr) -> Kind| {
        let address = client.ip().to_canonical();
        telemetry.emit(identity.machine_at(address), kind(address));
    };
    let refused = |client: SocketAddr, name: &[u8], end: TftpEnd, why: String| {
        emit(client, &|client| Kind::TftpFailed {
            client,
            name: shown(name),
            why: why.clone(),
            end,
            bytes: 0,
            size: None,
            blksize: None,
        });
    };
    match event {
        // A boot program that starts at once may never send its last ACK.
        Event::Finished { transfer, stats } | Event::Unconfirmed { transfer, stats } => {
            emit(transfer.client, &|client| Kind::TftpSent {
                client,
                name: shown(&transfer.name),
                bytes: stats.bytes,
                elapsed_ms: u64::try_from(stats.elapsed.as_millis()).unwrap_or(u64::MAX),
                blksize: transfer.agreed.blksize(),
                windowsize: transfer.agreed.windowsize(),
                retransmissions: stats.retransmissions,
                confirmed: matches!(event, Event::Finished { .. }),
            })
        }
        Event::SizeProbe { transfer, .. } => {
            emit(transfer.client, &|client| Kind::TftpSizeProbe {
                client,
                name: shown(&transfer.name),
                bytes: Some(transfer.size),
            });
        }
        Event::Failed {
            transfer,
            failure,
            stats,
        } => emit(transfer.client, &|client| Kind::TftpFailed {
            client,
            name: shown(&transfer.name),
            why: failure.to_string(),
            end: end(failure, stats),
            bytes: stats.bytes,
            size: Some(transfer.size),
            blksize: Some(transfer.agreed.blksize()),
        }),
        Event::Refused {
            client,
            name,
            code,
            message,
            detail,
        } => {
            let detail = detail
                .map(|detail| format!(" ({detail})"))
                .unwrap_or_default();
            let end = match *code {
                Some(ErrorCode::FILE_NOT_FOUND) => TftpEnd::NotFound,
                _ => TftpEnd::Refused,
            };
            refused(*client, name, end, format!("{message}{detail}"));
        }
        Event::OverCap { client, name, cap } => {
            let key = match cap {
                Cap::TransfersPerClient => "max_transfers_per_client",
                _ => "max_transfers",
            };
            let why = format!("{cap} (`tftp.{key}` says how many)");
            refused(*client, name, TftpEnd::OverCap, why);
        }
        Event::Malformed { error, .. } => {
            telemetry.malformed("TFTP", || error.to_string());
        }
        Event::System { what, error } => tracing::warn!("TFTP: cannot {what}: {error}"),
        Event::Started { .. } | Event::Repeated { .. } | Event::Stray { .. } => {}
        other => tracing::debug!("TFTP: {other:?}"),
    }
}

/// How a transfer that began came to its end.
fn end(failure: &Failure<'_>, stats: &Stats) -> TftpEnd {
    match failure {
        Failure::Transfer(TransferError::Peer { .. }) => TftpEnd::ByClient,
        Failure::Transfer(TransferError::TimedOut { .. }) | Failure::Superseded => {
            match (stats.bytes, stats.answered) {
                (0, false) => TftpEnd::NoAck,
                (0, true) => TftpEnd::NoBlockAck,
                _ => TftpEnd::Silent,
            }
        }
        _ => TftpEnd::Other,
    }
}
