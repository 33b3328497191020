//! Definitions that cannot be, with what is said of them.

use super::*;
use wastegate_blessed as blessed;

/// What makes no sense, with the message that the operator sees.
#[test]
fn what_cannot_be_is_refused_with_a_remedy() {
    let arms = "arms = [{policy=\"champion\"}, {policy=\"lru\"}]";
    let cases = [
        "name = \"a b\"".to_owned(),
        String::new(),
        "arms = [{policy=\"lru\"}]".to_owned(),
        format!("arms = [{}]", "{policy=\"lru\"},".repeat(9)),
        "arms = [{policy=\"lru\"}, {policy=\"lru\"}]".to_owned(),
        "arms = [{policy=\"lru\"}, {policy=\"fifo\", name=\"B!\"}]".to_owned(),
        "arms = [{policy=\"lru\", weight=0.5}, {policy=\"fifo\"}]".to_owned(),
        "arms = [{policy=\"lru\", weight=0.5}, {policy=\"fifo\", weight=0.6}]".to_owned(),
        "arms = [{policy=\"lru\", weight=1.0}, {policy=\"fifo\", weight=0.0}]".to_owned(),
        "arms = [{policy=\"lru\", weight=nan}, {policy=\"fifo\", weight=0.5}]".to_owned(),
        "arms = [{policy=\"lru\"}, {policy=\"fifo\", explore={epsilon=0.1, temperature=1.0}}]"
            .to_owned(),
        format!("coverage = 0.0\n{arms}"),
        format!("coverage = 1.5\n{arms}"),
        format!("alpha = 0.5\n{arms}"),
        format!("power = 1.0\n{arms}"),
        format!("planned_users = 10\n{arms}"),
        format!("users_min = 10\n{arms}"),
        format!("layer = {{name=\"\", from=0.0, to=0.5}}\n{arms}"),
        format!("layer = {{name=\"x\", from=0.5, to=0.5}}\n{arms}"),
        format!("primary = \"regret-10\"\n{arms}"),
        format!("guardrails = [{{metric=\"regret-10m\", margin=1.0}}]\n{arms}"),
        format!("guardrails = [{{metric=\"churn\", margin=0.0}}]\n{arms}"),
        format!(
            "guardrails = [{{metric=\"churn\", margin=1.0}}, {{metric=\"churn\", margin=1.0}}]\n{arms}"
        ),
        format!("switchback = {{window_s=600, washout_s=120}}\n{arms}"),
        format!("switchback = {{window_s=600, washout_s=0}}\n{arms}"),
        format!("coverage = 0.5\nswitchback = {{window_s=6000, washout_s=600}}\n{arms}"),
        format!("primary = \"regret-1h\"\nswitchback = {{window_s=6000, washout_s=600}}\n{arms}"),
        // J30: what would be taken and decide nothing, ever.
        "arms = [{policy=\"lru\", weight=1e-9}, {policy=\"fifo\", weight=0.999999999}]".to_owned(),
        format!("users_min = 9223372036854775807\n{arms}"),
        format!("events_min = 0\n{arms}"),
        format!("coverage = nan\n{arms}"),
        format!("hours_min = -1.0\n{arms}"),
        format!("harm_after_s = 86401\n{arms}"),
        format!("ramp = {{steps=[]}}\n{arms}"),
        format!("ramp = {{steps=[0.05, 0.01]}}\n{arms}"),
        format!("ramp = {{steps=[0.5, 1.5]}}\n{arms}"),
        format!("ramp = {{hours=0.0}}\n{arms}"),
        format!("ramp = {{hours=nan}}\n{arms}"),
        format!("ramp = {{}}\ncoverage = 0.1\n{arms}"),
        format!("ramp = {{}}\nswitchback = {{window_s=6000, washout_s=600}}\n{arms}"),
        format!("ramp = {{days=1.0}}\n{arms}"),
        format!("holdout = true\n{arms}"),
        "holdout = true\ncoverage = 0.5\narms = [{policy=\"lru\", weight=0.1}, {policy=\"champion\", weight=0.9}]"
            .to_owned(),
        "holdout = true\narms = [{policy=\"lru\"}, {policy=\"champion\"}]".to_owned(),
        "holdout = true\nramp = {}\narms = [{policy=\"lru\", weight=0.1}, {policy=\"champion\", weight=0.9}]"
            .to_owned(),
        format!("use_past = \"yes\"\n{arms}"),
        format!("cohort = 3\n{arms}"),
    ];
    let mut report = String::new();
    for case in cases {
        let text = if case.starts_with("name") {
            case.clone()
        } else {
            format!("name = \"x\"\n{case}")
        };
        let parsed: Result<Definition, _> = toml::from_str(&text);
        let message = match parsed {
            Err(error) => error.message().to_owned(),
            Ok(definition) => definition.named().check().unwrap_err().to_string(),
        };
        report.push_str(&format!("{}\n    {message}\n", case.replace('\n', " | ")));
    }
    blessed::is_current(
        "host/control/src/experiment/invalid.txt",
        "experiment::definition",
        &report,
    );
}

#[test]
fn the_defaults_are_sound() {
    let text = "name = \"x\"\narms = [{policy=\"champion\"}, {policy=\"lru\"}]";
    let definition: Definition = toml::from_str(text).unwrap();
    let definition = definition.named();
    assert_eq!(definition.check(), Ok(()));
    assert_eq!(definition.weights(), [0.5, 0.5]);
    assert_eq!(definition.arms[0].name, "champion");
}

/// J30: what could be written down and would never decide anything.
#[test]
fn j30_settings_that_decide_nothing_are_refused() {
    for rest in [
        "arms = [{policy=\"lru\", weight=1e-9}, {policy=\"fifo\", weight=0.999999999}]",
        "arms = [{policy=\"lru\"}, {policy=\"fifo\"}]\nusers_min = 9223372036854775807",
        "arms = [{policy=\"lru\"}, {policy=\"fifo\"}]\nevents_min = 0",
    ] {
        let definition: Definition = toml::from_str(&format!("name = \"x\"\n{rest}")).unwrap();
        assert!(definition.named().check().is_err(), "{rest}");
    }
}
