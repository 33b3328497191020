//! A guest on the bare engine: what the host does with one, without the host.

use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{Component, Linker, Val};
use wasmtime::{Config, Engine, ResourceLimiter, Result, Store, bail};
use wastegate_policy::random::mix;

const RANKER: &str = "wastegate:policy/ranker@1.0.0";

/// The fuel that the host grants a call with so many rows.
pub(super) fn fuel_for(rows: u32) -> u64 {
    20_000 + 2_000 * u64::from(rows)
}

/// The memory that the host grants a call at user scope.
pub(super) const USER_MEMORY_BYTES: usize = 2 * 1024 * 1024;

/// Bounds a guest's memory and counts how often it grew after it was created.
struct Memory {
    bytes: usize,
    growths: usize,
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, now: usize, wanted: usize, _: Option<usize>) -> Result<bool> {
        if wanted > USER_MEMORY_BYTES {
            return Ok(false);
        }
        self.growths += usize::from(now != 0);
        self.bytes = wanted;
        Ok(true)
    }

    fn table_growing(&mut self, now: usize, _: usize, _: Option<usize>) -> Result<bool> {
        Ok(now == 0)
    }
}

/// A compiled guest.
pub(super) struct Guest {
    engine: Engine,
    component: Component,
}

/// The choices of an answer, as rows, and what it took.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) rows: Vec<u32>,
    pub(super) fuel: u64,
    pub(super) memory_bytes: usize,
    pub(super) growths: usize,
}

impl Guest {
    pub(super) fn new(component: &[u8]) -> Self {
        let mut config = Config::new();
        config.consume_fuel(true);
        let engine = Engine::new(&config).unwrap();
        let component = Component::new(&engine, component).unwrap();
        Self { engine, component }
    }

    pub(super) fn describe(&self) -> Result<Val> {
        let (manifest, _) = self.call("describe", &[], fuel_for(0))?;
        Ok(manifest)
    }

    /// One call at the force tier, with the parameters at their defaults and the host's limits.
    pub(super) fn rank(&self, rows: u32, needed: u32) -> Result<Answer> {
        let manifest = self.describe()?;
        let params = list(field(&manifest, "parameters"));
        let params = params
            .iter()
            .map(|parameter| field(parameter, "default").clone());
        let call = [
            ("tier", Val::Enum("force".to_owned())),
            ("scope", Val::Enum("user".to_owned())),
            ("needed", Val::U32(needed)),
            ("limit", Val::U32(rows)),
            ("held", Val::U32(rows)),
            ("now-ms", Val::U64(1)),
            ("seed", Val::U64(1)),
            ("params", Val::List(params.collect())),
        ];
        let call = call.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let column = |signal: &Val| {
            let value = |row| Val::Float64(measured(text(signal), row));
            Val::List((0..rows).map(value).collect())
        };
        let columns = list(field(&manifest, "signals"))
            .iter()
            .map(column)
            .collect();
        let args = [Val::Record(call), Val::List(columns)];

        let (answer, store) = self.call("rank", &args, fuel_for(rows))?;
        let choices = match answer {
            Val::Result(Ok(Some(choices))) => choices,
            Val::Result(Err(Some(error))) => bail!("error: {}", text(&error)),
            other => bail!("{other:?}"),
        };
        let row = |choice| match field(choice, "manager") {
            Val::U32(row) => *row,
            other => panic!("{other:?} is no row"),
        };
        Ok(Answer {
            rows: list(&choices).iter().map(row).collect(),
            fuel: fuel_for(rows) - store.get_fuel()?,
            memory_bytes: store.data().bytes,
            growths: store.data().growths,
        })
    }

    /// Calls a function on a fresh instance.
    fn call(&self, name: &str, args: &[Val], fuel: u64) -> Result<(Val, Store<Memory>)> {
        let mut linker = Linker::new(&self.engine);
        let mut log = linker.instance("wastegate:policy/log@1.0.0")?;
        log.func_new("log", |_, _, _, _| Ok(()))?;
        let mut store = Store::new(
            &self.engine,
            Memory {
                bytes: 0,
                growths: 0,
            },
        );
        store.limiter(|memory| memory);
        store.set_fuel(fuel)?;
        let instance = linker.instantiate(&mut store, &self.component)?;
        let ranker = self.component.get_export_index(None, RANKER);
        let function = self
            .component
            .get_export_index(ranker.as_ref(), name)
            .unwrap();
        let function = instance.get_func(&mut store, function).unwrap();
        let mut results = [Val::Bool(false)];
        function.call(&mut store, args, &mut results)?;
        let [result] = results;
        Ok((result, store))
    }

    /// The names of the instances with functions, or whatever else is more than types, that the
    /// guest imports.
    pub(super) fn imports(&self) -> Vec<String> {
        let only_types = |instance: &ComponentInstance| {
            instance
                .exports(&self.engine)
                .all(|(_, item)| matches!(item.ty, ComponentItem::Type(_)))
        };
        self.component
            .component_type()
            .imports(&self.engine)
            .filter(|(_, item)| match &item.ty {
                ComponentItem::ComponentInstance(instance) => !only_types(instance),
                _ => true,
            })
            .map(|(name, _)| name.to_owned())
            .collect()
    }
}

/// A quantity is different for every row; a code speaks for nobody, so that quantities decide.
pub(super) fn measured(signal: &str, row: u32) -> f64 {
    match signal {
        "detached-ms" | "visibility" => f64::NAN,
        "health" | "in-flight" | "priority" | "protection" | "taken-over" => 0.0,
        _ => (mix(signal.len() as u64, u64::from(row)) % 1_000_000) as f64,
    }
}

#[track_caller]
fn list(value: &Val) -> &[Val] {
    let Val::List(items) = value else {
        panic!("{value:?} is no list")
    };
    items
}

#[track_caller]
pub(super) fn field<'a>(value: &'a Val, name: &str) -> &'a Val {
    let Val::Record(fields) = value else {
        panic!("{value:?} is no record")
    };
    let (_, value) = fields.iter().find(|(known, _)| known == name).unwrap();
    value
}

#[track_caller]
pub(super) fn text(value: &Val) -> &str {
    let Val::String(text) = value else {
        panic!("{value:?} is no text")
    };
    text
}
