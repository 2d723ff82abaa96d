//! What TFTP and HTTP both give machines: the operator's files, boot scripts, and the program that a
//! shim is meant to go on with.

use std::net::IpAddr;
use std::sync::Arc;

use netboot_dhcp::MacAddr;
use netboot_ipxe::RenderError;
use netboot_tftp::server::{Content, Directory, Refusal};

use crate::identity::{Asking, Identity, UrlClaim};
use crate::paths::Served;
use crate::policy::{self, Origin};
use crate::script::cache::{Key, Script, Scripts};
use crate::telemetry::events::{Kind, Protocol};
use crate::telemetry::{Telemetry, host_time};
use crate::world::{Machine, World, Worlds};

/// A script that is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScriptRequest<'r> {
    /// In which language.
    pub(crate) language: Served,
    /// From which address.
    pub(crate) address: IpAddr,
    /// The machine that was seen behind the address.
    pub(crate) seen: Option<MacAddr>,
    /// What the URL says of the machine that it is for.
    pub(crate) claim: &'r UrlClaim,
    /// This server as the client reaches it.
    pub(crate) origin: Origin,
    /// By which protocol.
    pub(crate) by: Protocol,
    /// Under which path.
    pub(crate) path: &'r str,
}

/// The operator's files, boot scripts and second stages. Its clones give the same.
#[derive(Debug, Clone)]
pub(crate) struct BootFiles {
    folder: Arc<Directory>,
    worlds: Arc<Worlds>,
    identity: Identity,
    scripts: Arc<Scripts>,
    telemetry: Telemetry,
}

impl BootFiles {
    /// The files of the operator's `folder` among others.
    pub(crate) fn new(
        folder: Directory,
        worlds: Arc<Worlds>,
        identity: Identity,
        scripts: Arc<Scripts>,
        telemetry: Telemetry,
    ) -> Self {
        Self {
            folder: Arc::new(folder),
            worlds,
            identity,
            scripts,
            telemetry,
        }
    }

    /// The worlds that answers are made in.
    pub(crate) fn worlds(&self) -> &Worlds {
        &self.worlds
    }

    /// Who asks.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The file of this name in the operator's folder, and in whatever folder below that.
    pub(crate) fn own_file(&self, name: &str) -> Result<Content, Refusal> {
        self.folder.open_file(name.as_bytes())
    }

    /// The same where nothing has the name to the letter: one in which letters are of another case.
    pub(crate) fn similar_file(&self, name: &str) -> Result<Content, Refusal> {
        let folder = Directory::clone(&self.folder).ignoring_case();
        folder.open_file(name.as_bytes())
    }

    /// Whether the machine at an address is a target, as far as its lease tells, or whatever else
    /// says which machine that is.
    pub(crate) fn is_known(&self, address: IpAddr) -> bool {
        let world = self.worlds.recent();
        let machine = self.machine_at(&world, address);
        world.find(&machine).is_some()
    }

    /// Where events go.
    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// What a machine gets in place of the program that its shim asks for by this path.
    pub(crate) fn second_stage(
        &self,
        world: &World,
        address: IpAddr,
        path: &str,
    ) -> Option<String> {
        if !path.ends_with("ipxe.efi") {
            return None;
        }
        let decision = policy::decide(world, &self.machine_at(world, address));
        policy::second_stage(&decision, path).filter(|name| world.programs().has(name))
    }

    /// The script for who asks in this world, reported to the event stream.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub(crate) fn script(
        &self,
        world: &World,
        request: &ScriptRequest<'_>,
    ) -> Result<Arc<Script>, RenderError> {
        let address = request.address;
        let asking = self
            .identity
            .asking(world, address, request.seen, request.claim);
        let Asking { machine, itself } = asking;
        let key = Key {
            machine,
            itself,
            address,
            origin: request.origin,
            language: request.language,
        };
        let script = self
            .scripts
            .script(host_time(), self.worlds.store(), world, key)?;
        if let Some(boots) = &script.boots {
            self.telemetry.emit(
                self.identity.boots(request.seen, address, request.claim),
                Kind::Script {
                    client: address,
                    by: request.by,
                    path: request.path.to_owned(),
                    boots: boots.clone(),
                    action: script.action,
                    images: Arc::clone(&script.loads),
                },
            );
        }
        Ok(script)
    }

    /// What is known of the machine behind an address.
    fn machine_at(&self, world: &World, address: IpAddr) -> Machine {
        let seen = self.identity.machine_at(address);
        let asking = self
            .identity
            .asking(world, address, seen, &UrlClaim::default());
        asking.machine
    }
}
