//! The functions that are answered, by the names of WASI 0.2.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, LinkerInstance, Lower, Resource, ResourceType, WasmList};

use super::super::guest::Guest;
use super::HANDLES_MAX;
use super::output::{self, Stream};

/// Bytes that one call of `write` may bring: the least that the interface allows.
const WRITE_BYTES_MAX: u64 = 4_096;

/// Bytes that one call for randomness may take.
const RANDOM_BYTES_MAX: u64 = 64 * 1024;

const NANOS_PER_MILLI: u64 = 1_000_000;

/// Which output stream a handle stands for.
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

struct InputStream;
struct OutputStream;
struct Pollable;
struct IoError;
struct Descriptor;
struct Terminal;
/// Anything of which there is never one.
struct Other;

/// `wasi:io/streams.stream-error`.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[expect(dead_code, reason = "nothing fails here, and the type has to be whole")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

/// `wasi:clocks/wall-clock.datetime`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

type Stubs<'a> = LinkerInstance<'a, Guest>;
type Store<'a> = StoreContextMut<'a, Guest>;
type Streamed<T> = Result<T, StreamError>;

/// Defines a resource. The same name is the same resource in every interface and version.
pub(super) fn resource(stubs: &mut Stubs<'_>, name: &str) -> wasmtime::Result<()> {
    let ty = match name {
        "input-stream" => ResourceType::host::<InputStream>(),
        "output-stream" => ResourceType::host::<OutputStream>(),
        "pollable" => ResourceType::host::<Pollable>(),
        "error" => ResourceType::host::<IoError>(),
        "descriptor" => ResourceType::host::<Descriptor>(),
        "terminal-input" | "terminal-output" => ResourceType::host::<Terminal>(),
        _ => ResourceType::host::<Other>(),
    };
    stubs.resource(name, ty, |mut store, _| {
        let state = &mut store.data_mut().wasi;
        state.handles = state.handles.saturating_sub(1);
        Ok(())
    })
}

/// Defines a function, if it is one that is answered.
pub(super) fn define(stubs: &mut Stubs<'_>, interface: &str, name: &str) -> wasmtime::Result<bool> {
    match interface {
        "wasi:cli/environment" => environment(stubs, name),
        "wasi:io/streams" => streams(stubs, name),
        "wasi:io/poll" => poll(stubs, name),
        "wasi:clocks/monotonic-clock" => monotonic(stubs, name),
        "wasi:clocks/wall-clock" => wall(stubs, name),
        "wasi:random/random" | "wasi:random/insecure" | "wasi:random/insecure-seed" => {
            random(stubs, name)
        }
        "wasi:filesystem/preopens" => preopens(stubs, name),
        _ => standard(stubs, name),
    }
}

fn environment(stubs: &mut Stubs<'_>, name: &str) -> wasmtime::Result<bool> {
    match name {
        "get-environment" => {
            stubs.func_wrap(name, |_, (): ()| Ok((Vec::<(String, String)>::new(),)))?
        }
        "get-arguments" => stubs.func_wrap(name, |_, (): ()| Ok((Vec::<String>::new(),)))?,
        "initial-cwd" => stubs.func_wrap(name, |_, (): ()| Ok((None::<String>,)))?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Standard input, output and the terminals that they are not.
fn standard(stubs: &mut Stubs<'_>, name: &str) -> wasmtime::Result<bool> {
    match name {
        "get-stdin" => stubs.func_wrap(name, |store, (): ()| handle::<InputStream>(store, 0))?,
        "get-stdout" => {
            stubs.func_wrap(name, |store, (): ()| handle::<OutputStream>(store, STDOUT))?;
        }
        "get-stderr" => {
            stubs.func_wrap(name, |store, (): ()| handle::<OutputStream>(store, STDERR))?;
        }
        "get-terminal-stdin" | "get-terminal-stdout" | "get-terminal-stderr" => {
            stubs.func_wrap(name, |_, (): ()| Ok((None::<Resource<Terminal>>,)))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn streams(stubs: &mut Stubs<'_>, name: &str) -> wasmtime::Result<bool> {
    match name {
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => {
            stubs.func_wrap(name, |_, _: (Resource<InputStream>, u64)| {
                Ok((Streamed::<Vec<u8>>::Err(StreamError::Closed),))
            })?;
        }
        "[method]input-stream.skip" | "[method]input-stream.blocking-skip" => {
            stubs.func_wrap(name, |_, _: (Resource<InputStream>, u64)| {
                Ok((Streamed::<u64>::Err(StreamError::Closed),))
            })?;
        }
        "[method]input-stream.subscribe" => {
            stubs.func_wrap(name, |store, _: (Resource<InputStream>,)| {
                handle::<Pollable>(store, 0)
            })?;
        }
        "[method]output-stream.subscribe" => {
            stubs.func_wrap(name, |store, _: (Resource<OutputStream>,)| {
                handle::<Pollable>(store, 0)
            })?;
        }
        "[method]output-stream.check-write" => {
            stubs.func_wrap(name, |_, _: (Resource<OutputStream>,)| {
                Ok((Streamed::Ok(WRITE_BYTES_MAX),))
            })?;
        }
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => {
            stubs.func_wrap(name, write)?;
        }
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => {
            stubs.func_wrap(name, |_, _: (Resource<OutputStream>,)| {
                Ok((Streamed::Ok(()),))
            })?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn write(
    store: Store<'_>,
    (stream, contents): (Resource<OutputStream>, WasmList<u8>),
) -> wasmtime::Result<(Streamed<()>,)> {
    if contents.len() as u64 > WRITE_BYTES_MAX {
        wasmtime::bail!("it wrote more at once than `check-write` allows");
    }
    let stream = match stream.rep() {
        STDERR => Stream::Stderr,
        _ => Stream::Stdout,
    };
    output::write(store, stream, &contents);
    Ok((Ok(()),))
}

/// Nothing is ever waited for, so everything is ready; waiting itself is a trap.
fn poll(stubs: &mut Stubs<'_>, name: &str) -> wasmtime::Result<bool> {
    if name != "[method]pollable.ready" {
        return Ok(false);
    }
    stubs.func_wrap(name, |_, _: (Resource<Pollable>,)| Ok((true,)))?;
    Ok(true)
}

fn monotonic(stubs: &mut Stubs<'_>, name: &str) -> wasmtime::Result<bool> {
    match name {
        "now" => stubs.func_wrap(name, |store: Store<'_>, (): ()| {
            let now_ms = store.data().wasi.now_ms;
            Ok((now_ms.saturating_mul(NANOS_PER_MILLI),))
        })?,
        "resolution" => stubs.func_wrap(name, |_, (): ()| Ok((NANOS_PER_MILLI,)))?,
        "subscribe-instant" | "subscribe-duration" => {
            stubs.func_wrap(name, |store, _: (u64,)| handle::<Pollable>(store, 0))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn wall(stubs: &mut Stubs<'_>, name: &str) -> wasmtime::Result<bool> {
    match name {
        "now" => stubs.func_wrap(name, |store: Store<'_>, (): ()| {
            Ok((datetime(store.data().wasi.now_ms),))
        })?,
        "resolution" => stubs.func_wrap(name, |_, (): ()| Ok((datetime(1),)))?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn datetime(ms: u64) -> Datetime {
    let millis = u32::try_from(ms % 1_000).unwrap_or(0);
    Datetime {
        seconds: ms / 1_000,
        nanoseconds: millis.saturating_mul(1_000_000),
    }
}

fn random(stubs: &mut Stubs<'_>, name: &str) -> wasmtime::Result<bool> {
    match name {
        "get-random-u64" | "get-insecure-random-u64" => {
            stubs.func_wrap(name, |mut store: Store<'_>, (): ()| {
                Ok((store.data_mut().wasi.random.next(),))
            })?;
        }
        "insecure-seed" | "get-insecure-seed" => {
            stubs.func_wrap(name, |mut store: Store<'_>, (): ()| {
                let random = &mut store.data_mut().wasi.random;
                Ok(((random.next(), random.next()),))
            })?;
        }
        "get-random-bytes" | "get-insecure-random-bytes" => stubs.func_wrap(name, random_bytes)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn random_bytes(mut store: Store<'_>, (len,): (u64,)) -> wasmtime::Result<(Vec<u8>,)> {
    if len > RANDOM_BYTES_MAX {
        wasmtime::bail!("it asked for {len} random bytes; {RANDOM_BYTES_MAX} at once are given");
    }
    let len = usize::try_from(len)?;
    let random = &mut store.data_mut().wasi.random;
    let mut bytes = Vec::with_capacity(len.next_multiple_of(8));
    while bytes.len() < len {
        bytes.extend(random.next().to_le_bytes());
    }
    bytes.truncate(len);
    Ok((bytes,))
}

fn preopens(stubs: &mut Stubs<'_>, name: &str) -> wasmtime::Result<bool> {
    if name != "get-directories" {
        return Ok(false);
    }
    stubs.func_wrap(name, |_, (): ()| {
        Ok((Vec::<(Resource<Descriptor>, String)>::new(),))
    })?;
    Ok(true)
}

/// One more handle, within reason: each takes memory of the host's.
fn handle<T: 'static>(mut store: Store<'_>, rep: u32) -> wasmtime::Result<(Resource<T>,)> {
    let state = &mut store.data_mut().wasi;
    state.handles += 1;
    if state.handles > HANDLES_MAX {
        wasmtime::bail!("it holds more than {HANDLES_MAX} handles");
    }
    Ok((Resource::new_own(rep),))
}
