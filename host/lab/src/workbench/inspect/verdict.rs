//! What a policy asks of its host, as a verdict in words.

use wastegate_engine::policy::load::Anatomy;

/// The verdict on a file's imports: `pure`, `logs`, `std stubs` (WASI that is granted because it can
/// do nothing), or `refused:` and what.
#[must_use]
pub fn of(anatomy: &Anatomy) -> String {
    if !anatomy.refused.is_empty() {
        let mut packages: Vec<&str> = Vec::new();
        for refused in &anatomy.refused {
            let package = package(&refused.name);
            if !packages.contains(&package) {
                packages.push(package);
            }
        }
        return format!("refused: {}", packages.join(", "));
    }
    let mut parts = Vec::new();
    if anatomy.imports.iter().any(|import| is_log(import)) {
        parts.push("logs");
    }
    if anatomy.imports.iter().any(|import| is_wasi(import)) {
        parts.push("std stubs");
    }
    if parts.is_empty() {
        "pure".to_owned()
    } else {
        parts.join(", ")
    }
}

fn is_log(import: &str) -> bool {
    import.starts_with("wastegate:policy/log@")
}

fn is_wasi(import: &str) -> bool {
    import.starts_with("wasi:") || import.starts_with("wasi_")
}

/// The package of an import: `wasi:sockets` of `wasi:sockets/tcp@0.2.0`.
fn package(import: &str) -> &str {
    import.split('/').next().unwrap_or(import)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wastegate_engine::policy::load::fence::Bounds;

    fn verdict(imports: &[&str]) -> String {
        let text: String = imports
            .iter()
            .map(|import| format!(r#"(import "{import}" (instance))"#))
            .collect();
        let component = wat::parse_str(format!("(component {text})")).unwrap();
        of(&Anatomy::of(&component, &Bounds::default()))
    }

    #[test]
    fn imports_are_a_verdict() {
        assert_eq!(verdict(&[]), "pure");
        assert_eq!(verdict(&["wastegate:policy/types@1.0.0"]), "pure");
        assert_eq!(verdict(&["wastegate:policy/log@1.0.0"]), "logs");
        let refused = [
            "wastegate:policy/log@1.0.0",
            "wasi:sockets/tcp@0.2.0",
            "wasi:sockets/udp@0.2.0",
            "acme:geo/lookup@1.0.0",
        ];
        assert_eq!(verdict(&refused), "refused: wasi:sockets, acme:geo");
    }
}
