//! Policies from outside: a real registry, signed files, a watched directory.

mod registry;
