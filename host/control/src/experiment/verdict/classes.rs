//! Whom an effect meets: the primary metric for users of each device class.
//!
//! Classes are fixed before anything is counted, so all of them share α, whether they have users or not, and the
//! intervals hold together at every look (Bonferroni). p-values of a sequence are valid at any look, so Holm's
//! method over them is too.

use super::super::tally::Member;
use super::{ClassComparison, Evidenced, Interval};
use wastegate_core::signals::DeviceClass;
use wastegate_core::stats::{Contrast, adjust, multiple::holm};

/// Every class, and what it is called.
const CLASSES: [(DeviceClass, &str); 4] = [
    (DeviceClass::Unknown, "unknown"),
    (DeviceClass::Desktop, "desktop"),
    (DeviceClass::Mobile, "mobile"),
    (DeviceClass::Server, "server"),
];

impl Evidenced<'_> {
    /// The classes of every arm but the control, in the order of the arms.
    pub(super) fn by_class(&self) -> Vec<Vec<ClassComparison>> {
        let others = 1..self.definition.arms.len();
        let mut all: Vec<Vec<ClassComparison>> = others
            .map(|arm| {
                let classes = CLASSES.iter();
                classes.map(|class| self.of_class(arm, *class)).collect()
            })
            .collect();
        let p: Vec<f64> = all.iter().flatten().map(|it| it.adjusted_p).collect();
        for (class, p) in all.iter_mut().flatten().zip(holm(&p)) {
            class.adjusted_p = p;
        }
        for arm in &mut all {
            arm.retain(|class| class.users.iter().any(|users| *users > 0));
        }
        all
    }

    fn of_class(&self, arm: usize, (class, name): (DeviceClass, &'static str)) -> ClassComparison {
        let is_one = |member: &&&Member| member.exposure.device.unwrap_or(0) == class.code();
        let observed = [0, arm].map(|arm| {
            let members = self.arm(arm).iter().filter(is_one);
            let metric = self.definition.primary;
            let observed = members.map(|member| self.observe(metric, member));
            observed.collect::<Vec<_>>()
        });
        let [a, b] = &observed;
        let contrast = adjust(a, b).map(|it| it.contrast);
        let difference = contrast.and_then(|contrast| self.class_interval(&contrast));
        let value = |users: &[wastegate_core::stats::Observed]| {
            let (y, x) = users.iter().fold((0.0, 0.0), |(y, x), user| {
                (y + user.pair.0, x + user.pair.1)
            });
            (x > 0.0).then(|| y / x)
        };
        ClassComparison {
            class: name.into(),
            users: [a.len() as u64, b.len() as u64],
            values: [value(a), value(b)],
            adjusted_p: difference.map_or(1.0, |it| it.p),
            difference,
        }
    }

    fn class_interval(&self, contrast: &Contrast) -> Option<Interval> {
        let [a, b] = contrast.users;
        if a.min(b) < self.definition.users_min {
            return None;
        }
        let always = contrast.at(&self.sequence(self.class_alpha())?)?;
        Some(Interval {
            delta: contrast.delta,
            se: contrast.se,
            low: always.low,
            high: always.high,
            p: always.p,
        })
    }

    /// The level of each class of each arm.
    #[expect(clippy::cast_precision_loss, reason = "tests are few")]
    fn class_alpha(&self) -> f64 {
        let tests = CLASSES.len() * (self.definition.arms.len() - 1);
        self.definition.alpha / tests.max(1) as f64
    }
}
