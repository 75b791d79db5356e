//! Units and their exact factors: what the `convert` tool answers.

use super::calculator::Fraction;

/// What a unit measures; only equals convert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    Length,
    Mass,
    Volume,
    Temperature,
    Time,
    Speed,
    Data,
    Area,
}

/// A unit: the names people write, and value = number * factor + offset in the quantity's base unit.
#[derive(Debug)]
struct Unit {
    names: &'static [&'static str],
    quantity: Quantity,
    /// numerator and denominator
    factor: (i64, i64),
    offset: (i64, i64),
}

const fn unit(quantity: Quantity, above: i64, below: i64, names: &'static [&'static str]) -> Unit {
    Unit { names, quantity, factor: (above, below), offset: (0, 1) }
}

use Quantity::{Area, Data, Length, Mass, Speed, Temperature, Time, Volume};

/// Base units: metre, gram, millilitre, kelvin, second, metre per hour, byte, square metre. Pints, cups and gallons are
/// those of the United States.
const UNITS: &[Unit] = &[
    unit(Length, 1, 1000, &["mm", "millimetres", "millimeters"]),
    unit(Length, 1, 100, &["cm", "centimetres", "centimeters"]),
    unit(Length, 1, 1, &["m", "metres", "meters", "metre", "meter"]),
    unit(Length, 1000, 1, &["km", "kilometres", "kilometers", "kilometre", "kilometer"]),
    unit(Length, 254, 10_000, &["inches", "inch", "in"]),
    unit(Length, 3048, 10_000, &["feet", "foot", "ft"]),
    unit(Length, 9144, 10_000, &["yards", "yard", "yd"]),
    unit(Length, 1_609_344, 1000, &["miles", "mile", "mi"]),
    unit(Length, 1852, 1, &["nautical miles", "nautical mile"]),
    unit(Mass, 1, 1000, &["mg", "milligrams"]),
    unit(Mass, 1, 1, &["g", "grams", "gram"]),
    unit(Mass, 1000, 1, &["kg", "kilograms", "kilos", "kilogram"]),
    unit(Mass, 1_000_000, 1, &["tonnes", "tonne", "t"]),
    unit(Mass, 28_349_523_125, 1_000_000_000, &["ounces", "ounce", "oz"]),
    unit(Mass, 45_359_237, 100_000, &["pounds", "pound", "lb", "lbs"]),
    unit(Mass, 635_029_318, 100_000, &["stone"]),
    unit(Volume, 1, 1, &["ml", "millilitres", "milliliters"]),
    unit(Volume, 1000, 1, &["l", "litres", "liters", "litre", "liter"]),
    unit(Volume, 492_892_159_375, 100_000_000_000, &["teaspoons", "teaspoon", "tsp"]),
    unit(Volume, 1_478_676_478_125, 100_000_000_000, &["tablespoons", "tablespoon", "tbsp"]),
    unit(Volume, 2_365_882_365, 10_000_000, &["cups", "cup"]),
    unit(Volume, 473_176_473, 1_000_000, &["pints", "pint"]),
    unit(Volume, 3_785_411_784, 1_000_000, &["gallons", "gallon"]),
    Unit { names: &["kelvin", "K"], quantity: Temperature, factor: (1, 1), offset: (0, 1) },
    Unit {
        names: &["celsius", "Celsius", "C", "degrees celsius", "degrees C"],
        quantity: Temperature,
        factor: (1, 1),
        offset: (27_315, 100),
    },
    Unit {
        names: &["fahrenheit", "Fahrenheit", "F", "degrees fahrenheit", "degrees F"],
        quantity: Temperature,
        factor: (5, 9),
        offset: (45_967 * 5, 900),
    },
    unit(Time, 1, 1, &["seconds", "second", "s"]),
    unit(Time, 60, 1, &["minutes", "minute", "min"]),
    unit(Time, 3600, 1, &["hours", "hour", "h"]),
    unit(Time, 86_400, 1, &["days", "day"]),
    unit(Time, 604_800, 1, &["weeks", "week"]),
    unit(Speed, 1000, 1, &["km/h", "kph"]),
    unit(Speed, 1_609_344, 1000, &["mph", "miles per hour"]),
    unit(Speed, 3600, 1, &["m/s", "metres per second"]),
    unit(Speed, 1852, 1, &["knots", "knot"]),
    unit(Data, 1, 1, &["bytes", "byte"]),
    unit(Data, 1000, 1, &["kB", "kilobytes"]),
    unit(Data, 1_000_000, 1, &["MB", "megabytes"]),
    unit(Data, 1_000_000_000, 1, &["GB", "gigabytes"]),
    unit(Data, 1_000_000_000_000, 1, &["TB", "terabytes"]),
    unit(Area, 1, 1, &["square metres", "square meters", "m2"]),
    unit(Area, 9_290_304, 100_000_000, &["square feet", "ft2"]),
    unit(Area, 10_000, 1, &["hectares", "hectare", "ha"]),
    unit(Area, 40_468_564_224, 10_000_000, &["acres", "acre"]),
    unit(Area, 1_000_000, 1, &["square kilometres", "km2"]),
];

/// The unit of a name: as written, else whatever its letter case.
fn find(name: &str) -> Option<&'static Unit> {
    let name = name.trim();
    let exact = UNITS.iter().find(|u| u.names.contains(&name));
    let same = |u: &&Unit| u.names.iter().any(|n| n.eq_ignore_ascii_case(name));
    exact.or_else(|| UNITS.iter().find(same))
}

/// Whether two names mean the same unit.
pub fn is_same_unit(a: &str, b: &str) -> bool {
    match (find(a), find(b)) {
        (Some(a), Some(b)) => std::ptr::eq(a, b),
        _ => false,
    }
}

/// A number of one unit in another.
///
/// # Errors
/// A sentence: an unknown unit, two units of different quantities, a number too large.
pub fn convert(value: Fraction, from: &str, to: &str) -> Result<Fraction, String> {
    let unknown = |name: &str| format!("there is no unit called {name}");
    let source = find(from).ok_or_else(|| unknown(from))?;
    let target = find(to).ok_or_else(|| unknown(to))?;
    if source.quantity != target.quantity {
        return Err(format!("{from} cannot be converted to {to}"));
    }
    let fraction = |(above, below): (i64, i64)| {
        Fraction::whole(above).over(Fraction::whole(below)).expect("no factor has a zero below")
    };
    let minus = |x: Fraction, y: Fraction| x.plus(y.times(Fraction::whole(-1))?);
    let base = value.times(fraction(source.factor)).and_then(|x| x.plus(fraction(source.offset)));
    let result = base
        .and_then(|x| minus(x, fraction(target.offset)))
        .and_then(|x| x.over(fraction(target.factor)));
    result.ok_or_else(|| "the number is too large".to_owned())
}

/// Names of the units that measure what the named one does, one list per unit; for making questions.
pub(crate) fn families() -> Vec<Vec<&'static [&'static str]>> {
    let kinds = [Length, Mass, Volume, Temperature, Time, Speed, Data, Area];
    let of = |kind| UNITS.iter().filter(|u| u.quantity == kind).map(|u| u.names).collect();
    kinds.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, from: &str, to: &str, expected: &str) {
        let value = Fraction::parse(value).unwrap();
        let result = convert(value, from, to).map_or_else(|e| e, |x| x.to_string());
        assert_eq!(result, expected, "{from} to {to}");
    }

    #[test]
    fn conversions_equal_the_tables() {
        check("12", "km", "miles", "7.4565");
        check("1", "mile", "km", "1.6093");
        check("100", "C", "F", "212");
        check("-40", "fahrenheit", "celsius", "-40");
        check("0", "C", "kelvin", "273.15");
        check("1", "gallon", "pints", "8");
        check("1", "gallon", "cups", "16");
        check("1", "cup", "tablespoons", "16");
        check("1", "tablespoon", "teaspoons", "3");
        check("2", "stone", "pounds", "28");
        check("1", "pound", "oz", "16");
        check("36", "km/h", "m/s", "10");
        check("4934", "bytes", "GB", "0.000004934");
        check("1", "acre", "square feet", "43560");
        check("3", "weeks", "hours", "504");
        check("1", "nautical miles", "miles", "1.1508");
    }

    #[test]
    fn what_does_not_convert_says_why() {
        check("1", "km", "kg", "km cannot be converted to kg");
        check("1", "parsecs", "km", "there is no unit called parsecs");
        check("99999999999999999999999999999999999", "gallons", "ml", "the number is too large");
    }

    #[test]
    fn no_name_means_two_units() {
        let names: Vec<_> = UNITS.iter().flat_map(|u| u.names).collect();
        let unique: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(names.len(), unique.len());
    }
}
