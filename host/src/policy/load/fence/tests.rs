//! Files at and over each bound, written by hand.

use super::*;

#[test]
#[ignore = "a look at real files: WASM=files cargo test -- --ignored"]
fn dump() {
    for entry in std::fs::read_dir("../target/examples").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "wasm") { continue; }
        let bytes = std::fs::read(&path).unwrap();
        let open = Bounds { nesting_max: u64::MAX, modules_max: u64::MAX, types_max: u64::MAX, functions_max: u64::MAX, instances_max: u64::MAX, names_max: u64::MAX, stores_max: u64::MAX, segments_max: u64::MAX, function_bytes_max: u64::MAX, locals_max: u64::MAX, blocks_max: u64::MAX, loop_locals_max: u64::MAX };
        let since = std::time::Instant::now();
        let counted = walk(&bytes, &open);
        let took = since.elapsed();
        println!("{} {} bytes {took:?}", path.display(), bytes.len());
        match counted { Ok(c) => for count in Count::ALL { println!("   {} {}", count.key(), c.of(count)); }, Err(e) => println!("  {e}") }
    }
}
