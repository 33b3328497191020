//! Powers of two and their logarithms within the means of the sandbox.
//!
//! Those of the standard library are right to the last bit and take some hundred units of fuel each,
//! of which a row has a thousand. These are right to eight digits, which is one more than anything is
//! compared by, and take a few dozen.

use std::f64::consts::{LN_2, LOG2_E, SQRT_2};

const MANTISSA_BITS: u32 = 52;
const EXPONENT_BIAS: i64 = 1_023;

/// Two to the power of `x`; 0 below the normal numbers.
pub(crate) fn exp2(x: f64) -> f64 {
    if x < -1_022.0 {
        return 0.0;
    }
    if x >= 1_024.0 {
        return f64::INFINITY;
    }
    let whole = x.round_ties_even();
    // At most 0.35 from zero, where eight terms of the series of e^z leave out less than 1e-8.
    let z = (x - whole) * LN_2;
    let tail = 1.0 / 24.0 + z * (1.0 / 120.0 + z * (1.0 / 720.0 + z * (1.0 / 5_040.0)));
    let fraction = 1.0 + z * (1.0 + z * (0.5 + z * (1.0 / 6.0 + z * tail)));
    // An unknown `x` makes the fraction unknown, whatever becomes of the exponent.
    let exponent = (whole as i64 + EXPONENT_BIAS).cast_unsigned() << MANTISSA_BITS;
    fraction * f64::from_bits(exponent)
}

/// The logarithm of `x` to the base of two; of nothing, and of less, minus infinity.
pub(crate) fn log2(x: f64) -> f64 {
    if x <= 0.0 {
        return f64::NEG_INFINITY;
    }
    let bits = x.to_bits();
    let mut exponent = (bits >> MANTISSA_BITS).cast_signed() - EXPONENT_BIAS;
    let one = EXPONENT_BIAS.cast_unsigned() << MANTISSA_BITS;
    let mut mantissa = f64::from_bits((bits & ((1 << MANTISSA_BITS) - 1)) | one);
    if mantissa > SQRT_2 {
        (mantissa, exponent) = (mantissa / 2.0, exponent + 1);
    }
    // ln m = 2 artanh((m - 1) / (m + 1)), whose argument is at most 0.18 from zero: five terms leave
    // out less than 1e-9.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let tail = 0.2 + square * (1.0 / 7.0 + square * (1.0 / 9.0));
    let artanh = s * (1.0 + square * (1.0 / 3.0 + square * tail));
    // Beyond the numbers the logarithm is far above any that is compared with it.
    exponent as f64 + 2.0 * LOG2_E * artanh
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_right_to_eight_digits() {
        for step in -40_000..=40_000 {
            let x = f64::from(step) * 0.025_3;
            let (found, exact) = (exp2(x), x.exp2());
            assert!(
                (found - exact).abs() <= 1e-8 * exact,
                "{x}: {found} is not {exact}"
            );
        }
        for whole in -1_022..1_024 {
            assert_eq!(exp2(f64::from(whole)), f64::from(whole).exp2(), "{whole}");
        }
        assert_eq!(exp2(-1_023.0), 0.0);
        assert_eq!(exp2(f64::NEG_INFINITY), 0.0);
        assert_eq!(exp2(f64::INFINITY), f64::INFINITY);
        assert!(exp2(f64::NAN).is_nan());
    }

    #[test]
    fn logarithms_are_right_to_eight_digits() {
        for step in 1..=100_000 {
            for x in [
                f64::from(step) * 0.013,
                1e-300 * f64::from(step),
                1e250 / f64::from(step),
            ] {
                let (found, exact) = (log2(x), x.log2());
                assert!((found - exact).abs() <= 1e-8, "{x}: {found} is not {exact}");
            }
        }
        assert_eq!(log2(0.0), f64::NEG_INFINITY);
        assert_eq!(log2(-1.0), f64::NEG_INFINITY);
        assert!(log2(f64::INFINITY) > 1_000.0);
    }
}
