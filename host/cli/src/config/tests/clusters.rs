//! `[cluster]`: what a node of a cluster needs, and what a node of none must not have.

use super::loaded;

fn problems(section: &str) -> String {
    match loaded(&format!("[cluster]\n{section}"), &[], &[]) {
        Ok(_) => String::new(),
        Err(error) => error,
    }
}

#[test]
fn a_cluster_is_complete_or_not_there() {
    let secret = "secret = \"the secret of these tests\"\n";
    let server = "engine = \"redis://10.0.0.5:6379\"\n";
    assert_eq!(problems(&format!("{server}{secret}")), "");
    assert_eq!(
        problems("away = \"open\"\nbudget_ms = 20\n"),
        "",
        "a rule alone is no cluster"
    );
    let address = [("WASTEGATE_CLUSTER__ENGINE", "redis://10.0.0.5:6379")];
    let by_environment = loaded(&format!("[cluster]\n{secret}"), &address, &[]);
    assert!(by_environment.is_ok_and(|it| it.config.cluster.is_on()));

    for (section, keys) in [
        (secret.to_owned(), ["cluster.engine", "cluster.secret"]),
        (server.to_owned(), ["cluster.secret", "cluster.secret_file"]),
        (
            format!("{server}{secret}kind = \"sentinel\"\n"),
            ["cluster.kind", "cluster.service"],
        ),
        (
            format!("engine = \"redis://a, redis://b\"\n{secret}"),
            ["cluster.engine", "cluster.kind"],
        ),
    ] {
        let said = problems(&section);
        for key in keys {
            assert!(said.contains(key), "{section}: {said}");
        }
        assert!(!said.contains("the secret of these"), "{said}");
    }
    let two = "engine = \"redis://a:1,redis://b:2\"\nkind = \"cluster\"\n";
    assert_eq!(problems(&format!("{two}{secret}")), "");
}
