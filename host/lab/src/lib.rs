//! Without a server: recorded activity run again on virtual time, and the bench of policy authors.

pub mod replay;

pub mod workbench;

pub mod trace;
