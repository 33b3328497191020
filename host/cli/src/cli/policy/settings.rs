//! Parameters on the command line: `--param NAME=VALUE`, the same for every verb.

use wastegate_engine::policy::Params;

/// What is set of a policy's parameters.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct SettingArgs {
    /// Set a parameter of the policy; the rest keep their defaults. Repeatable.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = setting)]
    params: Vec<(String, f64)>,
}

impl SettingArgs {
    /// By name; of two for one parameter the later.
    pub(super) fn params(&self) -> Params {
        self.params.iter().cloned().collect()
    }
}

fn setting(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| "write the parameter's name, `=` and a number".to_owned())?;
    let number = value
        .parse()
        .map_err(|_| format!("`{value}` is not a number"))?;
    Ok((name.to_owned(), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_a_name_and_a_number() {
        assert_eq!(setting("weight=0.25"), Ok(("weight".to_owned(), 0.25)));
        assert!(setting("weight").is_err());
        assert_eq!(setting("weight=x"), Err("`x` is not a number".to_owned()));
    }
}
