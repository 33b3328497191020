//! The `wastegate` program: its commands, its configuration, and the composition of everything else.

pub mod cli;

pub mod demo;

pub mod app;

pub mod config;

pub mod playground;
