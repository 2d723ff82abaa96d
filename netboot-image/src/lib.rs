//! Boot images with SHA-256 digests, SHA256SUMS and manifests, in a store that publishes whole or not at all.
