//! Policies from outside: a real registry, a watched directory, signed files.

mod followed;
mod registry;
mod watched;
