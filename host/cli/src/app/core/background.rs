//! The work beside requests: what flushes, watches, tells and reports.

use std::time::Duration;

use super::Core;
use wastegate::embed::Embedded;
use wastegate_control::admin::Admin;

/// Between two writes of the activity stream's window.
const ACTIVITY_FLUSH: Duration = Duration::from_secs(1);
/// Between two looks at how many log lines were left out.
const DROPPED_REPORT_EVERY: Duration = Duration::from_secs(1);

/// How long a stop waits at the most for the webhook's service: clients are to hear of it soon.
const TOLD_WITHIN_MAX: Duration = Duration::from_secs(5);

impl Core {
    /// Tells the webhook's service at a stop what is left. The background work ends with the drain.
    pub(super) async fn tell_the_webhook(&self) {
        let Some(webhook) = &self.webhook else {
            return;
        };
        let within = webhook.timeout().min(TOLD_WITHIN_MAX);
        let told = tokio::time::timeout(within, webhook.flush()).await;
        if told.is_err() {
            tracing::warn!("the webhook's service did not take everything before the drain");
        }
    }

    /// Starts the background work. Admission works without it.
    pub fn start(&self) {
        self.embedded.start();
        let Embedded {
            tasks,
            supervisor,
            clock,
            health,
            ..
        } = &self.embedded;
        self.policies.start(supervisor, tasks);
        let (activity, clock) = (self.activity.clone(), clock.clone());
        supervisor.run(tasks, "activity-flush", move || {
            let (activity, clock) = (activity.clone(), clock.clone());
            async move {
                loop {
                    tokio::time::sleep(ACTIVITY_FLUSH).await;
                    activity.flush(clock.now());
                }
            }
        });
        let Admin {
            history,
            registry,
            admission,
            ..
        } = &*self.admin;
        let (history, registry, admission) = (history.clone(), registry.clone(), admission.clone());
        supervisor.run(tasks, "history", move || {
            history.clone().watch(registry.clone(), admission.clone())
        });
        if let Some(sharing) = self.admin.sharing.clone() {
            supervisor.run(tasks, "shared-policies", move || sharing.clone().follow());
        }
        // Beside the policies, which may take seconds to be taken over: a block does not wait for them.
        if let Some(everywhere) = self.admin.everywhere.clone() {
            supervisor.run(tasks, "shared-levers", move || everywhere.clone().follow());
        }
        let levers = self.admin.levers.clone();
        supervisor.run(tasks, "levers", {
            let levers = levers.clone();
            move || levers.clone().watch()
        });
        supervisor.run(tasks, "disconnects", move || {
            let levers = levers.clone();
            async move { levers.disconnects().await }
        });
        if let Some(webhook) = self.webhook.clone() {
            supervisor.run(tasks, "webhook", move || webhook.clone().run());
        }
        #[cfg(feature = "otlp")]
        if let Some(exporter) = self.exporter.clone() {
            supervisor.run(tasks, "otlp", move || exporter.clone().run());
        }
        let experiments = self.experiments.clone();
        supervisor.run(tasks, "experiments", move || {
            super::super::experiments::watch(experiments.clone())
        });
        if health.audit_per_hour > 0.0 {
            let auditor = self.auditor();
            supervisor.run(tasks, "audit", move || auditor.clone().run());
        }
        let engine = self.catalog().engine().clone();
        supervisor.run(tasks, "policy-log", move || {
            let engine = engine.clone();
            async move {
                loop {
                    tokio::time::sleep(DROPPED_REPORT_EVERY).await;
                    engine.log().report_dropped();
                }
            }
        });
    }
}
