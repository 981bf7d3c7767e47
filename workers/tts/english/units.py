"""The units of measures: their signs and their names, one and many. Pure."""

import re

from workers.tts.english.scan import listed

UNITS: dict[str, tuple[str, str]] = {}


def _define(text: str) -> None:
    for entry in text.split(";"):
        keys, _, names = entry.partition(":")
        one, _, many = names.strip().partition(",")
        for key in keys.split():
            UNITS[key] = (one, many.strip() or one + "s")


_define(
    """km: kilometer; m: meter; cm: centimeter; mm: millimeter; µm μm um: micrometer; nm: nanometer; mi: mile;
    ft: foot, feet;
    in in.: inch, inches; yd yds: yard; nmi: nautical mile; kg kgs: kilogram; g gr: gram; mg: milligram;
    µg μg mcg ug: microgram;
    lb lbs lb. lbs.: pound; oz oz. ozs: ounce; st: stone, stone; l L: liter; ml mL: milliliter; cl cL: centiliter;
    dl dL: deciliter; gal gal.: gallon; qt qt. qts: quart; pt pt.: pint; tsp tsp. tsps: teaspoon;
    tbsp tbsp. tbsps Tbsp: tablespoon;
    °C ℃: degree Celsius, degrees Celsius; °F ℉: degree Fahrenheit, degrees Fahrenheit; °: degree; °K: kelvin;
    km/h kph kmh: kilometer per hour, kilometers per hour; mph: mile per hour, miles per hour;
    m/s: meter per second, meters per second; ft/s: foot per second, feet per second; kn kt kts: knot;
    fps: frame per second, frames per second; m/s² m/s^2: meter per second squared, meters per second squared;
    s sec sec. secs: second; min min. mins: minute; h hr hr. hrs hrs.: hour; ms: millisecond; µs μs us: microsecond;
    ns: nanosecond;
    wk wks wk.: week; mo mos mo.: month; yr yrs yr. yrs.: year; KB kB: kilobyte; MB: megabyte; GB: gigabyte;
    TB: terabyte; PB: petabyte;
    KiB: kibibyte; MiB: mebibyte; GiB: gibibyte; Kb Kbit kbit: kilobit; Mb Mbit: megabit; Gb Gbit: gigabit;
    kbps Kbps: kilobit per second, kilobits per second;
    Mbps mbps Mb/s Mbit/s: megabit per second, megabits per second;
    Gbps gbps Gb/s: gigabit per second, gigabits per second; MB/s MBps: megabyte per second, megabytes per second;
    GB/s: gigabyte per second, gigabytes per second; Hz: hertz, hertz; kHz KHz: kilohertz, kilohertz;
    MHz: megahertz, megahertz;
    GHz: gigahertz, gigahertz; W: watt; kW: kilowatt; MW: megawatt; GW: gigawatt; kWh: kilowatt hour; Wh: watt hour;
    MWh: megawatt hour;
    V: volt; kV: kilovolt; mV: millivolt; A: amp; mA: milliamp; mAh: milliamp hour; Ah: amp hour; Ω ohm: ohm;
    kΩ: kilohm; MΩ: megohm;
    J: joule; kJ: kilojoule; cal: calorie; kcal kCal: kilocalorie; Pa: pascal; kPa: kilopascal; hPa: hectopascal;
    MPa: megapascal;
    psi PSI: P S I, P S I; bar: bar; atm: atmosphere; N: newton; Nm: newton meter; hp HP: horsepower, horsepower;
    dB: decibel;
    dBm: D B M, D B M; px: pixel; pt: point; dpi: dot per inch, dots per inch; ppi: pixel per inch, pixels per inch;
    MP: megapixel; rpm RPM: R P M, R P M; bpm BPM: beat per minute, beats per minute;
    ppm: part per million, parts per million;
    ppb: part per billion, parts per billion; mmHg: millimeter of mercury, millimeters of mercury;
    mg/dL mg/dl: milligram per deciliter, milligrams per deciliter; mmol/L: millimole per liter, millimoles per liter;
    mg/kg: milligram per kilogram, milligrams per kilogram; g/mol: gram per mole, grams per mole; mol: mole;
    IU: international unit;
    g/L: gram per liter, grams per liter; mpg MPG: mile per gallon, miles per gallon; ha: hectare; ac: acre;
    m² m2 m^2 sqm: square meter; km² km2 km^2: square kilometer; cm² cm2 cm^2: square centimeter;
    mm² mm2: square millimeter;
    ft² ft2 ft^2 sqft: square foot, square feet; mi²: square mile; in²: square inch, square inches;
    m³ m3 m^3: cubic meter; cm³ cm3 cm^3 cc: cubic centimeter; ft³ ft3: cubic foot, cubic feet;
    in³: cubic inch, cubic inches; lm: lumen; lx: lux, lux;
    K: kelvin, kelvin; eV: electron volt; keV: kiloelectron volt; MeV: megaelectron volt; ly: light year;
    AU: astronomical unit; bp: basis point; bps: basis point;
    t: ton; cwt: hundredweight, hundredweight; d: day; fl.oz: fluid ounce; c: cup; ‰: per mille, per mille"""
)
GLUED_ONLY = listed("in d c t A N J V st AU ly pt us bp bps bar W cal um")
"""Units that are words or letters of their own when a blank stands before them."""
SPACED_ONLY = listed("K ac")
"""Units that glued to a number are part of a name: 4K, 802.11ac."""
SPACED_TOO = listed("V W")
LONG = {
    "sq ft": ("square foot", "square feet"), "sq. ft.": ("square foot", "square feet"),
    "sq. ft": ("square foot", "square feet"),
    "sq m": ("square meter", "square meters"), "sq mi": ("square mile", "square miles"),
    "sq km": ("square kilometer", "square kilometers"),
    "sq in": ("square inch", "square inches"), "fl oz": ("fluid ounce", "fluid ounces"),
    "fl. oz.": ("fluid ounce", "fluid ounces"), "fl. oz": ("fluid ounce", "fluid ounces"),
    "cu ft": ("cubic foot", "cubic feet"), "cu in": ("cubic inch", "cubic inches"),
}  # fmt: skip
UNIT = "|".join(re.escape(unit) for unit in sorted([*UNITS, *LONG], key=len, reverse=True))
