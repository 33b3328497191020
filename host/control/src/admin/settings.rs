//! What the server was configured to: `GET /v1/config`.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::Admin;
use super::openapi::Page;
use super::routes::Routes;

/// One key of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingDto {
    /// Its path.
    pub key: String,
    /// Its value as a configuration file has it; of a secret only whether it is set.
    pub value: String,
    /// What set it: `default`, a file with its line, a variable, or a flag.
    pub from: String,
    /// Whether SIGHUP changes it while the server runs.
    pub live: bool,
    /// What it is, in a sentence or two.
    pub about: String,
}

/// The answer to `GET /v1/config`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct SettingsView {
    /// Every key in the order of the reference. Empty where the server was put together without a
    /// configuration, as in a program that embeds it.
    pub keys: Vec<SettingDto>,
}

/// The settings that run, as the API shows them.
#[derive(Debug, Default)]
pub struct ShownSettings(ArcSwap<SettingsView>);

impl ShownSettings {
    /// What is shown.
    pub(super) fn get(&self) -> Arc<SettingsView> {
        self.0.load_full()
    }

    /// Shows these from now on.
    pub fn show(&self, keys: Vec<SettingDto>) {
        self.0.store(Arc::new(SettingsView { keys }));
    }
}

/// The route of the settings.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Server).get(
        "/v1/config",
        "Every setting with its value and where it came from. Secrets are hidden.",
        settings,
    )
}

async fn settings(State(admin): State<Arc<Admin>>) -> Json<SettingsView> {
    Json(admin.settings.get().as_ref().clone())
}
