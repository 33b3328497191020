//! Signals that are codes rather than quantities, as enums.
//!
//! The numbers are part of the contract and never change their meaning. A number that this crate
//! does not know yet, from a newer host, reads as the variant that claims least.

/// An enum of a signal's codes; `otherwise` names the variant for all numbers that are none, and a
/// variant `without_code` is an unknown value, NaN.
macro_rules! codes {
    (
        $(#[$doc:meta])*
        $name:ident, otherwise $otherwise:ident {
            $($(#[$variant_doc:meta])* $variant:ident = $code:literal $word:literal,)*
        }
        $(without_code { $(#[$unknown_doc:meta])* $unknown:ident $unknown_word:literal })?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            $($(#[$unknown_doc])* $unknown,)?
        }

        impl $name {
            /// Every variant.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)* $(Self::$unknown,)?];

            /// The word for it in tables, snapshots and cases.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                    $(Self::$unknown => $unknown_word,)?
                }
            }

            /// The variant of that word.
            #[must_use]
            pub fn by_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name() == name)
            }

            /// What a number of the signal's column stands for.
            #[must_use]
            pub fn from_signal(value: f64) -> Self {
                // The conversion bends what is no code, and then it does not convert back.
                let code = value as i32;
                if f64::from(code) != value {
                    return Self::$otherwise;
                }
                match code {
                    $($code => Self::$variant,)*
                    _ => Self::$otherwise,
                }
            }

            /// The number in the signal's column.
            #[must_use]
            pub const fn to_signal(self) -> f64 {
                match self {
                    $(Self::$variant => $code as f64,)*
                    $(Self::$unknown => f64::NAN,)?
                }
            }
        }
    };
}

codes! {
    /// The signal `health`: what the evidence says of a manager.
    ///
    /// ```
    /// use wastegate_policy::Health;
    ///
    /// assert_eq!(Health::from_signal(5.0), Health::HalfOpen);
    /// assert_eq!(Health::from_signal(f64::NAN), Health::Unknown);
    /// assert_eq!(Health::by_name("half-open"), Some(Health::HalfOpen));
    /// assert_eq!(Health::Dead.to_signal(), 6.0);
    /// ```
    Health, otherwise Unknown {
        /// No evidence. Never proof of death.
        Unknown = 0 "unknown",
        /// It answered.
        Alive = 1 "alive",
        /// It missed something it should have answered.
        Suspect = 2 "suspect",
        /// Its peer is there and does not read.
        Stalled = 3 "stalled",
        /// Its own task makes no progress.
        Stuck = 4 "stuck",
        /// Its peer is gone and the kernel does not know.
        HalfOpen = 5 "half-open",
        /// It is certainly gone.
        Dead = 6 "dead",
    }
}

codes! {
    /// The signal `protection`: how far the host holds its hand over a manager. The host enforces
    /// it whatever a policy answers.
    Protection, otherwise Protected {
        /// Nothing speaks for it.
        Evictable = 0 "evictable",
        /// In the middle of something, recently active, or hinted at by its client: for the force
        /// tier only.
        Protected = 1 "protected",
        /// By the application or an operator: never a victim.
        Pinned = 2 "pinned",
    }
}

codes! {
    /// The signal `visibility`: whether the client says it is on screen.
    Visibility, otherwise Unknown {
        /// In a background tab, or minimised.
        Hidden = 0 "hidden",
        /// On screen.
        Visible = 1 "visible",
    }
    without_code {
        /// The client did not say.
        Unknown "unknown"
    }
}

codes! {
    /// The signal `device-class`: what the client runs on. Throttled background tabs and sleeping
    /// phones look idle to every clock, so a policy that goes by idleness alone is hard on them.
    DeviceClass, otherwise Unknown {
        /// The client did not say.
        Unknown = 0 "unknown",
        /// A desktop or a laptop.
        Desktop = 1 "desktop",
        /// A phone or a tablet.
        Mobile = 2 "mobile",
        /// A program without a person before it.
        Server = 3 "server",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_survive_the_round_trip() {
        for health in Health::ALL {
            assert_eq!(Health::from_signal(health.to_signal()), *health);
            assert_eq!(Health::by_name(health.name()), Some(*health));
        }
        for visibility in Visibility::ALL {
            assert_eq!(Visibility::from_signal(visibility.to_signal()), *visibility);
        }
        for protection in Protection::ALL {
            assert_eq!(Protection::from_signal(protection.to_signal()), *protection);
        }
        for device in DeviceClass::ALL {
            assert_eq!(DeviceClass::from_signal(device.to_signal()), *device);
        }
    }

    #[test]
    fn what_is_not_known_claims_least() {
        for value in [f64::NAN, 99.0, -1.0, 0.5] {
            assert_eq!(Health::from_signal(value), Health::Unknown);
            assert_eq!(Protection::from_signal(value), Protection::Protected);
            assert_eq!(Visibility::from_signal(value), Visibility::Unknown);
            assert_eq!(DeviceClass::from_signal(value), DeviceClass::Unknown);
        }
    }
}
