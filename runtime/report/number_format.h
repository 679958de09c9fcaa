#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace bgw::report {

/// How an uncertainty is written: behind the number in units of its last digit, "-25.16313(6)", or beside it,
/// "-25.16313 ± 0.00006".
enum class ErrorStyle { parentheses, plus_minus };

/// A number rounded where its error begins. The error keeps one digit, or two when the first of them is 1 (rounding
/// 0.14 to 0.1 would change it by a third). Very large and very small numbers get an exponent: "1.602(4)e-19".
/// @param sigma  one standard error; without one the number gets seven digits, with an error of 0 "(0)" is added
std::string format_with_error(double value, std::optional<double> sigma, ErrorStyle style = ErrorStyle::parentheses);

/// A number with a fixed count of digits after the point; its error, if any, beside it.
std::string format_fixed(double value, std::optional<double> sigma, int digits);

/// Seven significant digits, "nan" and "inf" for what is no number.
std::string format_number(double value);

/// A result that has no error bar: four digits below 1, where fractions are, seven above.
std::string format_without_error(double value);

/// A result as tables and pages show it: with its error bar when it has one.
std::string format_result(double value, std::optional<double> sigma);

/// A count in groups of three: "12 500 000".
std::string format_count(long long count);

/// A time a person can read: "0.8 s", "42 s", "3 min 05 s", "2 h 10 min", "3 d 4 h".
std::string format_duration(double seconds);

/// A size in powers of ten: "812 B", "3.1 kB", "12 MB", "1.4 TB".
std::string format_bytes(std::uint64_t bytes);

/// Local time of the clock on the wall, "2026-03-02 12:04:31".
/// @param microseconds  UTC, since 1970
std::string format_time(std::int64_t microseconds);

}  // namespace bgw::report
