//! Clients that others wrote ask this server, in network namespaces.
