//! The crate from outside: captured packets, hostile bytes, the rules of RFC 2131, machines that
//! boot over a lossy link, and a model of who has which address.

mod agent;
mod captures;
mod choice;
mod claimed;
mod claims;
mod decline;
mod encoding;
mod extensions;
mod identity;
mod link;
mod machines;
mod model;
mod moved;
mod packet;
mod properties;
mod proxy;
mod replies;
mod rules;
mod site;
#[cfg(feature = "serde")]
mod stored;
mod text;
mod told;
mod trust;
mod tshark;
mod values;
mod wire;
