//! How often experiments are judged wrongly, by simulation: the table in `docs/experiments.md`.
//!
//! ```text
//! cargo run --release -p wastegate-control --example calibration [RUNS [past]]
//! ```
//!
//! Every row is a shape of users. Its A/A runs have two equal arms and are looked at a hundred times on the way:
//! any rollback and any "promotable", at whatever look, is wrong. Beside it, how often a real effect is seen
//! within the same time, where the arm has `effect` times the control's events, and whether users of one of three
//! device classes are said to be better or worse off. Half of the users were met before, for two thirds of a day.
//! With `past`, differences are adjusted by that (CUPED), and the last column is the part of the variance that this
//! takes away, on average.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

mod draw;

use draw::Draw;
use wastegate::observe::pseudonym::{PseudonymKey, Pseudonymizer};
use wastegate_control::experiment::definition::Definition;
use wastegate_control::experiment::entry::{ArmKey, PhaseKey};
use wastegate_control::experiment::past::UserPast;
use wastegate_control::experiment::tally::{Exposure, ExposureTally, Member};
use wastegate_control::experiment::verdict::{ExperimentVerdict, judge};
use wastegate_core::types::{Tier, UserId};

const LOOKS: u64 = 100;
const LOOK_EVERY_MS: u64 = 20 * 60 * 1_000;
/// Looks for which half of the users were met before the experiment.
const PAST_LOOKS: u64 = 48;
/// Users come during the first half.
const COMING: f64 = 0.5;

/// One user's habits.
struct Habit {
    arm: usize,
    begins: u64,
    /// Victims, or admissions, at a look.
    rate: f64,
    /// How many of them are bad.
    share: f64,
    /// What happened before, under the control's policy.
    past: Option<UserPast>,
}

/// A shape of users, and the metric that looks at it.
struct Shape {
    name: &'static str,
    metric: &'static str,
    users: usize,
    weight: f64,
    /// The arm's events over the control's, where the arm is not equal.
    effect: f64,
    /// Tries at a look and how many of them are bad, where there are that many times the events.
    habit: fn(&mut Draw, f64) -> (f64, f64),
}

const SHAPES: [Shape; 12] = [
    Shape {
        name: "typical",
        metric: "thrash",
        users: 1_500,
        weight: 0.5,
        effect: 0.5,
        habit: |draw, effect| (0.05, (draw.beta(0.4, 3.6) * effect).min(1.0)),
    },
    Shape {
        name: "typical, per day",
        metric: "regret-10m",
        users: 1_500,
        weight: 0.5,
        effect: 0.5,
        habit: |draw, effect| (0.05, (draw.beta(0.4, 3.6) * effect).min(1.0)),
    },
    Shape {
        name: "1 % have live victims",
        metric: "live-kills",
        users: 500,
        weight: 0.5,
        effect: 2.0,
        habit: |draw, effect| {
            (
                if draw.happens(0.01) { 0.5 } else { 0.0 },
                (draw.beta(0.5, 0.5) * effect).min(1.0),
            )
        },
    },
    Shape {
        name: "5 % have live victims",
        metric: "live-kills",
        users: 2_000,
        weight: 0.5,
        effect: 2.0,
        habit: |draw, effect| {
            (
                if draw.happens(0.05) { 2.0 } else { 0.0 },
                (draw.beta(0.5, 2.0) * effect).min(1.0),
            )
        },
    },
    Shape {
        name: "rare",
        metric: "blocked-users",
        users: 4_000,
        weight: 0.5,
        effect: 4.0,
        habit: |_, effect| (0.05, 0.005 * effect),
    },
    Shape {
        name: "rare, per event",
        metric: "blocked",
        users: 4_000,
        weight: 0.5,
        effect: 4.0,
        habit: |_, effect| (0.05, 0.01 * effect),
    },
    Shape {
        name: "Pareto",
        metric: "churn",
        users: 1_500,
        weight: 0.5,
        effect: 2.0,
        habit: |draw, effect| (0.02 * effect * draw.pareto(1.3).min(1e3), 0.0),
    },
    Shape {
        name: "all or nothing",
        metric: "blocked",
        users: 1_000,
        weight: 0.5,
        effect: 2.0,
        habit: |draw, effect| (0.3, f64::from(u8::from(draw.happens(0.1 * effect)))),
    },
    Shape {
        name: "two users",
        metric: "live-kills",
        users: 220,
        weight: 0.5,
        effect: 2.0,
        habit: |draw, effect| {
            (
                if draw.happens(0.01) { 3.0 } else { 0.0 },
                f64::from(u8::from(draw.happens(0.5 * effect))),
            )
        },
    },
    Shape {
        name: "weights .9/.1",
        metric: "thrash",
        users: 3_000,
        weight: 0.1,
        effect: 0.3,
        habit: |draw, effect| (0.05, (draw.beta(0.4, 3.6) * effect).min(1.0)),
    },
    Shape {
        name: "weights .9/.1, rare",
        metric: "blocked",
        users: 4_000,
        weight: 0.1,
        effect: 4.0,
        habit: |_, effect| (0.05, 0.01 * effect),
    },
    Shape {
        name: "weights .9/.1, all or nothing",
        metric: "blocked",
        users: 3_000,
        weight: 0.1,
        effect: 3.0,
        habit: |draw, effect| (0.3, f64::from(u8::from(draw.happens(0.05 * effect)))),
    },
];

/// What was ever said of one experiment.
#[derive(Default, Clone, Copy)]
struct Verdicts {
    rolled_back: bool,
    promotable: bool,
    /// The part of the variance that the past took away, at the last look.
    removed: f64,
    /// Users of some device class were ever said to be better or worse off.
    by_class: bool,
}

fn main() {
    let runs: u32 = std::env::args()
        .nth(1)
        .and_then(|runs| runs.parse().ok())
        .unwrap_or(2_000);
    println!(
        "| users | metric | false rollback | false promotion | by class | effect | seen | past |"
    );
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (at, shape) in SHAPES.iter().enumerate() {
        let mut draw = Draw::new(1 + at as u64);
        let equal: Vec<Verdicts> = (0..runs).map(|_| watched(shape, 1.0, &mut draw)).collect();
        let other: Vec<Verdicts> = (0..runs / 4)
            .map(|_| watched(shape, shape.effect, &mut draw))
            .collect();
        let is_seen = |verdicts: &Verdicts| {
            if shape.effect > 1.0 {
                verdicts.rolled_back
            } else {
                verdicts.promotable
            }
        };
        println!(
            "| {} of {} | `{}` | {} | {} | {} | × {} | {} | {:.0} % |",
            shape.users,
            shape.name,
            shape.metric,
            percent(&equal, |verdicts| verdicts.rolled_back),
            percent(&equal, |verdicts| verdicts.promotable),
            percent(&equal, |verdicts| verdicts.by_class),
            shape.effect,
            percent(&other, is_seen),
            100.0 * equal.iter().map(|it| it.removed).sum::<f64>() / equal.len() as f64,
        );
    }
}

fn percent(runs: &[Verdicts], of: impl Fn(&Verdicts) -> bool) -> String {
    let hits = runs.iter().filter(|verdicts| of(verdicts)).count();
    format!("{:.1} %", 100.0 * hits as f64 / runs.len() as f64)
}

/// Runs one experiment and looks at it all along.
fn watched(shape: &Shape, effect: f64, draw: &mut Draw) -> Verdicts {
    let definition = definition(shape);
    let phase = phase(shape);
    let pseudonyms = Pseudonymizer::new(PseudonymKey::from_bytes([7; 16]));
    let habits: Vec<Habit> = (0..shape.users)
        .map(|_| habit(shape, effect, draw))
        .collect();
    let mut members: Vec<Member> = habits
        .iter()
        .enumerate()
        .map(|(at, habit)| member(at, habit, &pseudonyms))
        .collect();
    let mut verdicts = Verdicts::default();
    for look in 1..=LOOKS {
        let unix_ms = look * LOOK_EVERY_MS;
        for (habit, member) in habits.iter().zip(&mut members) {
            if habit.begins < look {
                happen(habit.rate, habit.share, &mut member.tally, draw);
            }
        }
        let arms = [0, 1].map(|arm| {
            let there = habits
                .iter()
                .zip(&members)
                .filter(|(habit, _)| habit.arm == arm && habit.begins < look);
            there.map(|(_, member)| member).collect()
        });
        let assessment = judge(&definition, &phase, &arms, unix_ms);
        let primary = assessment
            .comparisons
            .first()
            .and_then(|it| it.findings.first());
        verdicts.removed = primary.map_or(0.0, |it| it.variance_removed);
        let classes = assessment.comparisons.iter().flat_map(|it| &it.by_class);
        let mut shown = classes.filter_map(|class| class.difference);
        verdicts.by_class |= shown.any(|it| it.low > 0.0 || it.high < 0.0);
        match assessment.verdict {
            ExperimentVerdict::Rollback => verdicts.rolled_back = true,
            ExperimentVerdict::Promotable => verdicts.promotable = true,
            ExperimentVerdict::Hold | ExperimentVerdict::Continue => {}
        }
    }
    verdicts
}

fn habit(shape: &Shape, effect: f64, draw: &mut Draw) -> Habit {
    let arm = usize::from(draw.happens(shape.weight));
    // The same user under either policy: only the arm's effect differs.
    let mut user = draw.clone();
    let (rate, share) = (shape.habit)(draw, 1.0);
    let past = draw.happens(0.5).then(|| past(rate, share, draw));
    let (rate, share) = (shape.habit)(&mut user, if arm == 1 { effect } else { 1.0 });
    Habit {
        arm,
        begins: (draw.uniform() * COMING * LOOKS as f64) as u64,
        rate,
        share,
        past,
    }
}

fn past(rate: f64, share: f64, draw: &mut Draw) -> UserPast {
    let mut tally = ExposureTally::default();
    for _ in 0..PAST_LOOKS {
        happen(rate, share, &mut tally, draw);
    }
    let hours = (PAST_LOOKS * LOOK_EVERY_MS) as f64 / 3_600_000.0;
    UserPast { hours, tally }
}

/// What happens to a user between two looks.
fn happen(rate: f64, share: f64, tally: &mut ExposureTally, draw: &mut Draw) {
    let all = draw.poisson(rate);
    let bad = draw.binomial(all, share);
    tally.evictions += all;
    tally.attempts += all;
    tally.blocked += bad;
    tally.echoed += bad;
    tally.silent += all - bad;
    tally.returned[1] += bad;
    tally.returned[2] += bad;
}

fn member(at: usize, habit: &Habit, pseudonyms: &Pseudonymizer) -> Member {
    let user = UserId::new(&format!("user-{at}")).expect("a name");
    let exposure = Exposure {
        unit: pseudonyms.user(&user),
        arm: habit.arm,
        place: 0.5,
        tier: Tier::Force,
        held: 20,
        limit: 20,
        unix_ms: habit.begins * LOOK_EVERY_MS,
        now_us: 0,
        until_ms: None,
        device: Some(u8::try_from(at % 3).unwrap_or_default()),
        past: habit.past.clone(),
    };
    Member {
        exposure,
        tally: ExposureTally::default(),
    }
}

fn definition(shape: &Shape) -> Definition {
    let use_past = std::env::args().any(|word| word == "past");
    let text = format!(
        "name = \"x\"\nprimary = \"{}\"\nguardrails = []\nhours_min = 0\nharm_after_s = 0\nuse_past = {use_past}\n\
         arms = [{{policy=\"a\", weight={}}}, {{policy=\"b\", weight={}}}]",
        shape.metric,
        1.0 - shape.weight,
        shape.weight
    );
    let definition: Definition = toml::from_str(&text).expect("a definition");
    definition.named()
}

fn phase(shape: &Shape) -> PhaseKey {
    let arm = |name: &str| ArmKey {
        name: name.to_owned(),
        policy: name.to_owned(),
        version: "1".to_owned(),
        digest: name.to_owned(),
        revision: None,
        params: Vec::new(),
        explore: None,
    };
    PhaseKey {
        number: 1,
        unix_ms: 0,
        contract: "1".to_owned(),
        cap: 20,
        hashed_by: None,
        weights: vec![1.0 - shape.weight, shape.weight],
        arms: vec![arm("a"), arm("b")],
    }
}
