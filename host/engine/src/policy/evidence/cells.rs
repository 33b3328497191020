//! The columns of a captured input as JSON can hold them without loss: unknown values are null, and
//! infinite ones `"inf"` and `"-inf"`, for which JSON has no numbers.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value of a column.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub(super) enum Cell {
    Finite(f64),
    Infinite(Infinite),
}

/// What JSON has no numbers for.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) enum Infinite {
    #[serde(rename = "inf")]
    Positive,
    #[serde(rename = "-inf")]
    Negative,
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        if value == f64::INFINITY {
            Self::Infinite(Infinite::Positive)
        } else if value == f64::NEG_INFINITY {
            Self::Infinite(Infinite::Negative)
        } else {
            Self::Finite(value)
        }
    }
}

impl From<Cell> for f64 {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Finite(value) => value,
            Cell::Infinite(Infinite::Positive) => Self::INFINITY,
            Cell::Infinite(Infinite::Negative) => Self::NEG_INFINITY,
        }
    }
}

pub(super) fn serialize<S: Serializer>(
    columns: &[Vec<Option<f64>>],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(columns.iter().map(|column| {
        let cells = column.iter().map(|value| value.map(Cell::from));
        cells.collect::<Vec<Option<Cell>>>()
    }))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Vec<Option<f64>>>, D::Error> {
    let columns = Vec::<Vec<Option<Cell>>>::deserialize(deserializer)?;
    let values = columns.into_iter().map(|column| {
        let values = column.into_iter().map(|cell| cell.map(f64::from));
        values.collect()
    });
    Ok(values.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Columns(#[serde(with = "super")] Vec<Vec<Option<f64>>>);

    #[test]
    fn every_value_comes_back() {
        let values = [0.0, -0.0, 1.5, f64::MAX, f64::INFINITY, f64::NEG_INFINITY];
        let mut column: Vec<Option<f64>> = values.into_iter().map(Some).collect();
        column.push(None);
        let text = serde_json::to_string(&Columns(vec![column.clone()])).unwrap();
        assert_eq!(
            text,
            r#"[[0.0,-0.0,1.5,1.7976931348623157e+308,"inf","-inf",null]]"#
        );
        let Columns(read) = serde_json::from_str(&text).unwrap();
        assert_eq!(read, [column]);
    }
}
