//! The ledger's steps in the engine: as functions from Redis 7.0 on, as a script where functions are not there or
//! not allowed.
//!
//! Both are one text, and its name holds a hash of it: nodes of two versions each find theirs. A library that is
//! gone (a flush, another server) is loaded again by the call that misses it.

use std::sync::atomic::{AtomicU8, Ordering};

use redis::{Cmd, RedisError, Script};
use sha2::{Digest as _, Sha256};

use super::link::Link;

/// The layout of keys and values. Nodes with different ones share no keys: raise it when `library.lua` reads or
/// writes differently.
pub(super) const LAYOUT: u32 = 1;

const TEXT: &str = include_str!("library.lua");
/// Milliseconds of the engine's clock.
const TIME: &str = "local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000)";

/// The names of the steps.
fn steps() -> impl Iterator<Item = &'static str> {
    TEXT.lines().filter_map(|line| {
        line.strip_prefix("local function ")?
            .strip_suffix("(keys, args)")
    })
}

/// How steps are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Form {
    Unknown,
    Functions,
    Scripts,
}

/// The text, and how it is called.
#[derive(Debug)]
pub(super) struct Library {
    name: String,
    functions: String,
    script: String,
    digest: String,
    form: AtomicU8,
}

/// Which form of steps may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StepForm {
    /// Functions if the engine has them and allows to load them; else scripts.
    #[default]
    Best,
    /// Scripts only: for an engine whose operators allow no functions.
    Scripts,
}

impl Library {
    /// The ledger's, with the engine's clock; or another one, by the body of a Lua function.
    pub(super) fn new(form: StepForm, clock: Option<&str>) -> Self {
        let time = format!("local function time() {} end\n", clock.unwrap_or(TIME));
        let digest = Sha256::digest(format!("{time}{TEXT}"));
        let hash: String = digest
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let name = format!("wastegate_{LAYOUT}_{hash}");
        let register: String = steps()
            .map(|step| format!("redis.register_function('{name}_{step}', {step})\n"))
            .collect();
        let table: String = steps().map(|step| format!("{step} = {step}, ")).collect();
        let form = match form {
            StepForm::Best => Form::Unknown,
            StepForm::Scripts => Form::Scripts,
        };
        let script =
            format!("{time}{TEXT}return ({{{table}}})[ARGV[1]](KEYS, {{unpack(ARGV, 2)}})\n");
        Self {
            functions: format!("#!lua name={name}\n{time}{TEXT}{register}"),
            digest: Script::new(&script).get_hash().to_owned(),
            script,
            name,
            form: AtomicU8::new(form as u8),
        }
    }

    /// Whether the engine has the ledger's functions.
    pub(super) fn has_functions(&self) -> bool {
        self.form.load(Ordering::Relaxed) == Form::Functions as u8
    }

    /// Carries out one step.
    pub(super) async fn call(
        &self,
        link: &Link,
        step: &str,
        keys: &[String],
        args: &[Vec<u8>],
    ) -> Result<redis::Value, RedisError> {
        if self.form.load(Ordering::Relaxed) == Form::Unknown as u8 {
            self.load(link).await?;
        }
        let functions = self.has_functions();
        let command = self.command(functions, step, keys, args);
        let answer = link.carry(&command).await;
        let is_missing = |error: &RedisError| match functions {
            true => error.to_string().contains("Function not found"),
            false => error.code() == Some("NOSCRIPT"),
        };
        if !answer.as_ref().is_err_and(is_missing) {
            return answer;
        }
        if functions {
            self.load(link).await?;
            let again = self.command(self.has_functions(), step, keys, args);
            return link.carry(&again).await;
        }
        // The text itself, once: the engine knows it from then on, also the one server of several that lacked it.
        let mut whole = redis::cmd("EVAL");
        whole.arg(&self.script);
        finish(&mut whole, keys, Some(step), args);
        link.carry(&whole).await
    }

    fn command(&self, functions: bool, step: &str, keys: &[String], args: &[Vec<u8>]) -> Cmd {
        if functions {
            let mut command = redis::cmd("FCALL");
            command.arg(format!("{}_{step}", self.name));
            finish(&mut command, keys, None, args);
            command
        } else {
            let mut command = redis::cmd("EVALSHA");
            command.arg(&self.digest);
            finish(&mut command, keys, Some(step), args);
            command
        }
    }

    /// Loads the functions, or finds that they are not to be had.
    async fn load(&self, link: &Link) -> Result<(), RedisError> {
        let mut load = redis::cmd("FUNCTION");
        load.arg("LOAD").arg(&self.functions);
        let loaded: Result<redis::Value, RedisError> = link.carry(&load).await;
        let form = match loaded {
            Ok(_) => Form::Functions,
            Err(error) if error.to_string().contains("already exists") => Form::Functions,
            Err(error) if is_forbidden(&error) => Form::Scripts,
            Err(error) => return Err(error),
        };
        self.form.store(form as u8, Ordering::Relaxed);
        Ok(())
    }
}

/// Whether the engine has no functions, or does not let this user load them.
fn is_forbidden(error: &RedisError) -> bool {
    let text = error.to_string().to_lowercase();
    error.code() == Some("NOPERM")
        || text.contains("unknown command")
        || text.contains("unknown subcommand")
}

fn finish(command: &mut Cmd, keys: &[String], step: Option<&str>, args: &[Vec<u8>]) {
    command.arg(keys.len());
    keys.iter().for_each(|key| {
        command.arg(key);
    });
    step.into_iter().for_each(|step| {
        command.arg(step);
    });
    args.iter().for_each(|arg| {
        command.arg(arg);
    });
}
