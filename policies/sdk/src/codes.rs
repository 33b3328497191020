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
            $($(#[$variant_doc:meta])* $variant:ident = $code:literal,)*
        }
        $(without_code { $(#[$unknown_doc:meta])* $unknown:ident })?
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
    Health, otherwise Unknown {
        /// No evidence. Never proof of death.
        Unknown = 0,
        /// It answered.
        Alive = 1,
        /// It missed something it should have answered.
        Suspect = 2,
        /// Its peer is there and does not read.
        Stalled = 3,
        /// Its own task makes no progress.
        Stuck = 4,
        /// Its peer is gone and the kernel does not know.
        HalfOpen = 5,
        /// It is certainly gone.
        Dead = 6,
    }
}

codes! {
    /// The signal `protection`: how far the host holds its hand over a manager. The host enforces
    /// it whatever a policy answers.
    Protection, otherwise Protected {
        /// Nothing speaks for it.
        Evictable = 0,
        /// In the middle of something, recently active, or hinted at by its client: for the force
        /// tier only.
        Protected = 1,
        /// By the application or an operator: never a victim.
        Pinned = 2,
    }
}

codes! {
    /// The signal `visibility`: whether the client says it is on screen.
    Visibility, otherwise Unknown {
        /// In a background tab, or minimised.
        Hidden = 0,
        /// On screen.
        Visible = 1,
    }
    without_code {
        /// The client did not say.
        Unknown
    }
}

codes! {
    /// The signal `device-class`: what the client runs on. Throttled background tabs and sleeping
    /// phones look idle to every clock, so a policy that goes by idleness alone is hard on them.
    DeviceClass, otherwise Unknown {
        /// The client did not say.
        Unknown = 0,
        /// A desktop or a laptop.
        Desktop = 1,
        /// A phone or a tablet.
        Mobile = 2,
        /// A program without a person before it.
        Server = 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_survive_the_round_trip() {
        for health in Health::ALL {
            assert_eq!(Health::from_signal(health.to_signal()), *health);
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
