//! Windowed TFTP (RFC 1350, 2347, 2348, 2349, 7440): a protocol core without I/O, and a tokio server and client.
