//! Units and their exact factors: what the `convert` tool answers.

use crate::Rational;

/// What a unit measures; only equals convert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    Angle,
    Area,
    Data,
    DataRate,
    Energy,
    Force,
    Frequency,
    Length,
    Mass,
    Power,
    Pressure,
    Speed,
    Temperature,
    Time,
    Volume,
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

const fn degree(factor: (i64, i64), offset: (i64, i64), names: &'static [&'static str]) -> Unit {
    Unit { names, quantity: Temperature, factor, offset }
}

use Quantity::{
    Angle, Area, Data, DataRate, Energy, Force, Frequency, Length, Mass, Power, Pressure, Speed,
    Temperature, Time, Volume,
};

/// Base units: turn, square metre, byte, byte per second, joule, newton, hertz, metre, gram, watt,
/// pascal, metre per hour, kelvin, second, millilitre. Pints, cups and gallons are those of the United States unless
/// they say otherwise; months and years are the mean ones of the Gregorian calendar.
const UNITS: &[Unit] = &[
    unit(Angle, 1, 1, &["turns", "turn", "revolutions", "revolution"]),
    unit(Angle, 1, 360, &["degrees", "degree", "deg", "°"]),
    unit(Angle, 1, 21_600, &["arcminutes", "arcminute"]),
    unit(Angle, 1, 1_296_000, &["arcseconds", "arcsecond"]),
    // 1 / (2 pi), to 18 places.
    unit(Angle, 159_154_943_091_895_336, 1_000_000_000_000_000_000, &["radians", "radian", "rad"]),
    unit(Area, 1, 10_000, &["square centimetres", "square centimeters", "cm2", "cm²"]),
    unit(Area, 1, 1, &["square metres", "square meters", "m2", "m²"]),
    unit(Area, 64_516, 100_000_000, &["square inches", "in2", "in²"]),
    unit(Area, 9_290_304, 100_000_000, &["square feet", "square foot", "ft2", "ft²", "sqft"]),
    unit(Area, 83_612_736, 100_000_000, &["square yards", "yd2", "yd²"]),
    unit(Area, 10_000, 1, &["hectares", "hectare", "ha"]),
    unit(Area, 40_468_564_224, 10_000_000, &["acres", "acre"]),
    unit(Area, 1_000_000, 1, &["square kilometres", "square kilometers", "km2", "km²"]),
    unit(Area, 2_589_988_110_336, 1_000_000, &["square miles", "square mile", "mi2", "mi²"]),
    unit(Data, 1, 1, &["bytes", "byte", "B"]),
    unit(Data, 1000, 1, &["kB", "kilobytes", "kilobyte", "KB"]),
    unit(Data, 1_000_000, 1, &["MB", "megabytes", "megabyte"]),
    unit(Data, 1_000_000_000, 1, &["GB", "gigabytes", "gigabyte"]),
    unit(Data, 1_000_000_000_000, 1, &["TB", "terabytes", "terabyte"]),
    unit(Data, 1_000_000_000_000_000, 1, &["PB", "petabytes", "petabyte"]),
    unit(Data, 1 << 10, 1, &["KiB", "kibibytes", "kibibyte"]),
    unit(Data, 1 << 20, 1, &["MiB", "mebibytes", "mebibyte"]),
    unit(Data, 1 << 30, 1, &["GiB", "gibibytes", "gibibyte"]),
    unit(Data, 1 << 40, 1, &["TiB", "tebibytes", "tebibyte"]),
    unit(Data, 1 << 50, 1, &["PiB", "pebibytes", "pebibyte"]),
    // After the bytes: "mb" and "kb", in small letters, are these for most people.
    unit(Data, 1, 8, &["bits", "bit"]),
    unit(Data, 125, 1, &["kbit", "kilobits"]),
    unit(Data, 125_000, 1, &["Mbit", "megabits", "Mb"]),
    unit(Data, 125_000_000, 1, &["Gbit", "gigabits", "Gb"]),
    unit(DataRate, 1, 8, &["bit/s", "bps"]),
    unit(DataRate, 125, 1, &["kbit/s", "kbps"]),
    unit(DataRate, 125_000, 1, &["Mbit/s", "Mbps"]),
    unit(DataRate, 125_000_000, 1, &["Gbit/s", "Gbps"]),
    unit(DataRate, 1000, 1, &["kB/s"]),
    unit(DataRate, 1_000_000, 1, &["MB/s"]),
    unit(DataRate, 1_000_000_000, 1, &["GB/s"]),
    unit(Energy, 1, 1, &["joules", "joule", "J"]),
    unit(Energy, 1000, 1, &["kilojoules", "kilojoule", "kJ"]),
    unit(Energy, 1_000_000, 1, &["megajoules", "megajoule", "MJ"]),
    unit(Energy, 4184, 1000, &["calories", "calorie", "cal"]),
    unit(Energy, 4184, 1, &["kilocalories", "kilocalorie", "kcal"]),
    unit(Energy, 3600, 1, &["watt hours", "watt hour", "Wh"]),
    unit(Energy, 3_600_000, 1, &["kilowatt hours", "kilowatt hour", "kWh"]),
    unit(Energy, 105_505_585_262, 100_000_000, &["BTU", "british thermal units"]),
    unit(Force, 1, 1, &["newtons", "newton", "N"]),
    unit(Force, 1000, 1, &["kilonewtons", "kN"]),
    unit(Force, 980_665, 100_000, &["kilograms-force", "kgf"]),
    unit(Force, 44_482_216_152_605, 10_000_000_000_000, &["pounds-force", "lbf"]),
    unit(Frequency, 1, 1, &["hertz", "Hz"]),
    unit(Frequency, 1000, 1, &["kilohertz", "kHz"]),
    unit(Frequency, 1_000_000, 1, &["megahertz", "MHz"]),
    unit(Frequency, 1_000_000_000, 1, &["gigahertz", "GHz"]),
    unit(Frequency, 1, 60, &["rpm", "revolutions per minute"]),
    unit(Length, 1, 1_000_000_000, &["nm", "nanometres", "nanometers"]),
    unit(Length, 1, 1_000_000, &["µm", "um", "micrometres", "micrometers", "microns", "micron"]),
    unit(Length, 1, 1000, &["mm", "millimetres", "millimeters", "millimetre", "millimeter"]),
    unit(Length, 1, 100, &["cm", "centimetres", "centimeters", "centimetre", "centimeter"]),
    unit(Length, 1, 10, &["dm", "decimetres", "decimeters"]),
    unit(Length, 1, 1, &["m", "metres", "meters", "metre", "meter"]),
    unit(Length, 1000, 1, &["km", "kilometres", "kilometers", "kilometre", "kilometer"]),
    unit(Length, 254, 10_000, &["inches", "inch", "in", "\""]),
    unit(Length, 3048, 10_000, &["feet", "foot", "ft", "'"]),
    unit(Length, 9144, 10_000, &["yards", "yard", "yd"]),
    unit(Length, 1_609_344, 1000, &["miles", "mile", "mi"]),
    unit(Length, 1852, 1, &["nautical miles", "nautical mile", "nmi"]),
    unit(Length, 149_597_870_700, 1, &["astronomical units", "astronomical unit", "au"]),
    unit(Length, 9_460_730_472_580_800, 1, &["light years", "light year", "ly"]),
    unit(Mass, 1, 1_000_000, &["µg", "ug", "micrograms", "microgram"]),
    unit(Mass, 1, 1000, &["mg", "milligrams", "milligram"]),
    unit(Mass, 1, 1, &["g", "grams", "gram"]),
    unit(Mass, 1000, 1, &["kg", "kilograms", "kilos", "kilogram", "kilo"]),
    unit(Mass, 1_000_000, 1, &["tonnes", "tonne", "t", "metric tons"]),
    unit(Mass, 2, 10, &["carats", "carat", "ct"]),
    unit(Mass, 28_349_523_125, 1_000_000_000, &["ounces", "ounce", "oz"]),
    unit(Mass, 311_034_768, 10_000_000, &["troy ounces", "troy ounce", "ozt"]),
    unit(Mass, 45_359_237, 100_000, &["pounds", "pound", "lb", "lbs"]),
    unit(Mass, 635_029_318, 100_000, &["stone", "stones", "st"]),
    unit(Mass, 90_718_474, 100, &["short tons", "short ton", "tons", "ton"]),
    unit(Power, 1, 1, &["watts", "watt", "W"]),
    unit(Power, 1000, 1, &["kilowatts", "kilowatt", "kW"]),
    unit(Power, 1_000_000, 1, &["megawatts", "megawatt", "MW"]),
    unit(Power, 73_549_875, 100_000, &["metric horsepower", "PS"]),
    unit(Power, 74_569_987_158_227_022, 100_000_000_000_000, &["horsepower", "hp"]),
    unit(Pressure, 1, 1, &["pascals", "pascal", "Pa"]),
    unit(Pressure, 100, 1, &["hPa", "hectopascals", "mbar", "millibars"]),
    unit(Pressure, 1000, 1, &["kPa", "kilopascals"]),
    unit(Pressure, 100_000, 1, &["bar", "bars"]),
    unit(Pressure, 101_325, 1, &["atm", "atmospheres", "atmosphere"]),
    unit(Pressure, 101_325, 760, &["torr", "mmHg"]),
    unit(Pressure, 68_947_572_931_683, 10_000_000_000, &["psi", "pounds per square inch"]),
    unit(Speed, 1000, 1, &["km/h", "kph", "kmh", "kilometres per hour", "kilometers per hour"]),
    unit(Speed, 1_609_344, 1000, &["mph", "miles per hour"]),
    unit(Speed, 3600, 1, &["m/s", "metres per second", "meters per second"]),
    unit(Speed, 109_728, 100, &["ft/s", "feet per second"]),
    unit(Speed, 1852, 1, &["knots", "knot", "kn"]),
    degree((1, 1), (0, 1), &["kelvin", "K"]),
    degree(
        (1, 1),
        (27_315, 100),
        &["celsius", "Celsius", "C", "°C", "degrees celsius", "degrees C"],
    ),
    degree(
        (5, 9),
        (45_967 * 5, 900),
        &["fahrenheit", "Fahrenheit", "F", "°F", "degrees fahrenheit", "degrees F"],
    ),
    degree((5, 9), (0, 1), &["rankine", "R", "°R"]),
    unit(Time, 1, 1_000_000_000, &["ns", "nanoseconds", "nanosecond"]),
    unit(Time, 1, 1_000_000, &["µs", "us", "microseconds", "microsecond"]),
    unit(Time, 1, 1000, &["ms", "milliseconds", "millisecond"]),
    unit(Time, 1, 1, &["seconds", "second", "s", "sec"]),
    unit(Time, 60, 1, &["minutes", "minute", "min"]),
    unit(Time, 3600, 1, &["hours", "hour", "h"]),
    unit(Time, 86_400, 1, &["days", "day", "d"]),
    unit(Time, 604_800, 1, &["weeks", "week"]),
    unit(Time, 2_629_746, 1, &["months", "month"]),
    unit(Time, 31_556_952, 1, &["years", "year"]),
    unit(
        Volume,
        1,
        1,
        &["ml", "millilitres", "milliliters", "millilitre", "milliliter", "cm3", "cc"],
    ),
    unit(Volume, 10, 1, &["cl", "centilitres", "centiliters"]),
    unit(Volume, 100, 1, &["dl", "decilitres", "deciliters"]),
    unit(Volume, 1000, 1, &["l", "litres", "liters", "litre", "liter"]),
    unit(Volume, 1_000_000, 1, &["cubic metres", "cubic meters", "m3", "m³"]),
    unit(Volume, 16_387_064, 1_000_000, &["cubic inches", "in3", "in³"]),
    unit(Volume, 28_316_846_592, 1_000_000, &["cubic feet", "ft3", "ft³"]),
    unit(Volume, 492_892_159_375, 100_000_000_000, &["teaspoons", "teaspoon", "tsp"]),
    unit(Volume, 1_478_676_478_125, 100_000_000_000, &["tablespoons", "tablespoon", "tbsp"]),
    unit(Volume, 295_735_295_625, 10_000_000_000, &["fluid ounces", "fluid ounce", "fl oz"]),
    unit(Volume, 2_365_882_365, 10_000_000, &["cups", "cup"]),
    unit(Volume, 473_176_473, 1_000_000, &["pints", "pint"]),
    unit(Volume, 946_352_946, 1_000_000, &["quarts", "quart"]),
    unit(Volume, 3_785_411_784, 1_000_000, &["gallons", "gallon", "gal"]),
    unit(Volume, 56_826_125, 100_000, &["imperial pints", "imperial pint", "UK pints"]),
    unit(Volume, 454_609, 100, &["imperial gallons", "imperial gallon", "UK gallons"]),
    unit(Volume, 158_987_294_928, 1_000_000, &["oil barrels", "oil barrel", "bbl"]),
];

/// The unit of a name: as written, else whatever its letter case where that means one unit.
fn find(name: &str) -> Option<&'static Unit> {
    let name = name.trim();
    let exact = UNITS.iter().find(|u| u.names.contains(&name));
    let same = |u: &&Unit| u.names.iter().any(|n| n.eq_ignore_ascii_case(name));
    exact.or_else(|| UNITS.iter().find(same))
}

/// Whether two names mean the same unit.
pub fn is_same(a: &str, b: &str) -> bool {
    match (find(a), find(b)) {
        (Some(a), Some(b)) => std::ptr::eq(a, b),
        _ => false,
    }
}

/// A number of one unit in another.
///
/// # Errors
/// A sentence: an unknown unit, two units of different quantities, a number too large.
pub fn convert(value: &Rational, from: &str, to: &str) -> Result<Rational, String> {
    let unknown = |name: &str| format!("there is no unit called {name}");
    let source = find(from).ok_or_else(|| unknown(from))?;
    let target = find(to).ok_or_else(|| unknown(to))?;
    if source.quantity != target.quantity {
        return Err(format!("{from} cannot be converted to {to}"));
    }
    let fraction = |(above, below): (i64, i64)| Rational::ratio(above, below);
    let base = value.times(&fraction(source.factor)).and_then(|x| x.plus(&fraction(source.offset)));
    let result = base
        .and_then(|x| x.minus(&fraction(target.offset)))
        .and_then(|x| x.over(&fraction(target.factor)));
    result.ok_or_else(|| "the number is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, from: &str, to: &str, expected: &str) {
        let value = Rational::parse(value).unwrap();
        let result = convert(&value, from, to).map_or_else(|e| e, |x| x.to_string());
        assert_eq!(result, expected, "{from} to {to}");
    }

    #[test]
    fn conversions_equal_the_tables() {
        check("12", "km", "miles", "7.4565");
        check("1", "mile", "km", "1.6093");
        check("100", "C", "F", "212");
        check("-40", "fahrenheit", "celsius", "-40");
        check("0", "C", "kelvin", "273.15");
        check("0", "rankine", "kelvin", "0");
        check("1", "gallon", "pints", "8");
        check("1", "gallon", "cups", "16");
        check("1", "cup", "tablespoons", "16");
        check("1", "tablespoon", "teaspoons", "3");
        check("1", "cup", "fl oz", "8");
        check("2", "stone", "pounds", "28");
        check("1", "pound", "oz", "16");
        check("1", "ton", "pounds", "2000");
        check("36", "km/h", "m/s", "10");
        check("10", "ft/s", "m/s", "3.048");
        check("4934", "bytes", "GB", "0.000004934");
        check("1", "GiB", "MB", "1073.7418");
        check("100", "Mbps", "MB/s", "12.5");
        check("8", "Mb", "MB", "1");
        check("1", "mb", "kb", "1000");
        check("1", "acre", "square feet", "43560");
        check("1", "square mile", "acres", "640");
        check("3", "weeks", "hours", "504");
        check("1", "nautical miles", "miles", "1.1508");
        check("1", "atm", "psi", "14.6959");
        check("1", "hp", "W", "745.6999");
        check("1", "kWh", "kcal", "860.4207");
        check("180", "degrees", "rad", "3.1416");
        check("1", "imperial gallon", "litres", "4.5461");
        check("1", "cubic feet", "cubic inches", "1728");
    }

    #[test]
    fn what_does_not_convert_says_why() {
        check("1", "km", "kg", "km cannot be converted to kg");
        check("1", "parsecs", "km", "there is no unit called parsecs");
        check("1", "", "km", "there is no unit called ");
        assert!(is_same("km", "kilometres") && !is_same("km", "m") && !is_same("x", "x"));
    }

    #[test]
    fn no_name_means_two_units() {
        let names: Vec<_> = UNITS.iter().flat_map(|u| u.names).collect();
        let unique: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(names.len(), unique.len());
    }
}
