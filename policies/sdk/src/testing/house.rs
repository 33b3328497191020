//! Ready-made calls: a full house, and what a snapshot file describes.

use super::fixture::{Fixture, Manager};
use crate::{DeviceClass, Health, Protection, Signal};

impl Fixture {
    /// The call of a user at the limit: `managers` of them, all alive and connected, of which one
    /// has to go.
    ///
    /// Row 0 was left alone for longest and has existed for longest, the last row was active a
    /// second ago. Their keys are `chat-0`, `chat-1` and so on. Change what your test is about with
    /// [`with`](Self::with).
    ///
    /// ```
    /// # use wastegate_policy::prelude::*;
    /// # manifest! {
    /// #     name: "idlest", version: "1.0.0", summary: "Doc.", scopes: [User],
    /// #     signals: { IDLE: IdleMs }, parameters: {}, reasons: { IDLING: "idle" },
    /// # }
    /// # struct Idlest;
    /// # impl Policy for Idlest {
    /// #     const MANIFEST: Manifest = MANIFEST;
    /// #     fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
    /// #         Ok(top_k(rows, call.enough(rows), |row| Some(Bid::new([row.get(IDLE)?], IDLING))))
    /// #     }
    /// # }
    /// use wastegate_policy::testing::Fixture;
    ///
    /// let house = Fixture::full_house(20).with(7, &[(Signal::IdleMs, 1e9)]);
    /// assert_eq!(house.victim_keys::<Idlest>()[..2], ["chat-7", "chat-0"]);
    /// ```
    #[must_use]
    pub fn full_house(managers: u32) -> Self {
        let mut fixture = Self::new().held_of(managers, managers);
        for row in 0..managers {
            let left = f64::from(managers - row);
            fixture = fixture.manager(Manager {
                key: Some(format!("chat-{row}")),
                signals: vec![
                    (Signal::AgeMs, left * 60_000.0),
                    (Signal::IdleMs, left * 1_000.0),
                    (Signal::ActivityCount, 3.0),
                    (Signal::ActivityDecayed1h, 3.0),
                    (Signal::Health, Health::Alive.to_signal()),
                    (Signal::Connections, 1.0),
                    (Signal::ConnectionsAlive, 1.0),
                    (Signal::TakenOver, 0.0),
                    (Signal::QueuedBytes, 0.0),
                    (Signal::BufferedBytes, 0.0),
                    (Signal::Protection, Protection::Evictable.to_signal()),
                    (Signal::Priority, 0.0),
                    (Signal::DeviceClass, DeviceClass::Desktop.to_signal()),
                ],
            });
        }
        fixture
    }

    /// The call that a snapshot file describes, version 1: what `wastegate policy run --snapshot`
    /// takes. Give it the text, most simply by
    /// `include_str!("../snapshots/full-house.json")`.
    ///
    /// ```
    /// # use wastegate_policy::prelude::*;
    /// # manifest! {
    /// #     name: "idlest", version: "1.0.0", summary: "Doc.", scopes: [User],
    /// #     signals: { IDLE: IdleMs }, parameters: {}, reasons: { IDLING: "idle" },
    /// # }
    /// # struct Idlest;
    /// # impl Policy for Idlest {
    /// #     const MANIFEST: Manifest = MANIFEST;
    /// #     fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
    /// #         Ok(top_k(rows, call.enough(rows), |row| Some(Bid::new([row.get(IDLE)?], IDLING))))
    /// #     }
    /// # }
    /// use wastegate_policy::testing::Fixture;
    ///
    /// let fixture = Fixture::snapshot(r#"{ "rows": [
    ///     { "key": "here", "idle-ms": 12, "health": "alive" },
    ///     { "key": "away", "idle-ms": 93000, "health": "half-open" }
    /// ] }"#);
    /// assert_eq!(fixture.victim_keys::<Idlest>(), ["away", "here"]);
    /// ```
    ///
    /// # Panics
    ///
    /// If it is no snapshot, with what is wrong and where.
    #[must_use]
    #[track_caller]
    pub fn snapshot(text: &str) -> Self {
        super::snapshot::read(text).unwrap_or_else(|wrong| panic!("no snapshot: {wrong}"))
    }
}
