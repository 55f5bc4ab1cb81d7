//! Signatures: who signed, with which key, and is that key good. Pure: no database, no clock and no network of its own.

pub mod openpgp;
