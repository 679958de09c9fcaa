#include "runtime/report/number_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <cstdlib>

namespace bgw::report {
namespace {

// Decimal exponent of the last digit an error keeps: 0.0063 -> -3, 0.00143 -> -4 (two digits), 12 -> 0.
int last_digit(double sigma) {
  const std::string one = fmt::format("{:.0e}", sigma);  // rounds first: 0.0096 is 1e-02
  const int digits = one[0] == '1' ? 1 : 0;
  const std::string rounded = fmt::format("{:.{}e}", sigma, digits);
  return std::atoi(rounded.c_str() + rounded.find('e') + 1) - digits;
}

std::string with_decimals(double value, double sigma, int decimals, ErrorStyle style) {
  const std::string number = fmt::format("{:.{}f}", value, decimals);
  if (style == ErrorStyle::plus_minus) return fmt::format("{} ± {:.{}f}", number, sigma, decimals);
  // from 1 on the error shows its own point: 12.3(1.4), not 12.3(14)
  if (decimals > 0 && sigma >= 0.9999999 && fmt::format("{:.{}f}", sigma, decimals)[0] != '0')
    return fmt::format("{}({:.{}f})", number, sigma, decimals);
  return fmt::format("{}({:.0f})", number, sigma * std::pow(10.0, decimals));
}

// The exponent to take out: 0 for numbers that read well as they are.
int common_exponent(double value, double sigma) {
  const double size = std::max(std::abs(value), sigma);
  if (size == 0 || (size >= 1e-6 && size < 1e7)) return 0;
  return static_cast<int>(std::floor(std::log10(size)));
}

}  // namespace

std::string format_number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return fmt::format("{:.7g}", value);
}

std::string format_without_error(double value) {
  return std::abs(value) < 1 ? fmt::format("{:.4g}", value) : format_number(value);
}

std::string format_with_error(double value, std::optional<double> sigma, ErrorStyle style) {
  if (!sigma) return format_number(value);
  const bool beside = style == ErrorStyle::plus_minus;
  if (!std::isfinite(*sigma) || !std::isfinite(value)) return format_number(value) + (beside ? " ± ?" : "(?)");
  if (*sigma == 0) return format_number(value) + (beside ? " ± 0" : "(0)");
  const int exponent = common_exponent(value, *sigma);
  const double scale = std::pow(10.0, exponent);
  const int decimals = std::clamp(-last_digit(*sigma / scale), 0, 17);
  const std::string text = with_decimals(value / scale, *sigma / scale, decimals, style);
  if (exponent == 0) return text;
  return beside ? fmt::format("({})e{:+03d}", text, exponent) : fmt::format("{}e{:+03d}", text, exponent);
}

std::string format_result(double value, std::optional<double> sigma) {
  return sigma ? format_with_error(value, sigma) : format_without_error(value);
}

std::string format_fixed(double value, std::optional<double> sigma, int digits) {
  if (!std::isfinite(value)) return format_with_error(value, sigma, ErrorStyle::plus_minus);
  const std::string number = fmt::format("{:.{}f}", value, digits);
  if (!sigma) return number;
  return std::isfinite(*sigma) ? fmt::format("{} ± {:.1g}", number, *sigma) : number + " ± ?";
}

std::string format_count(long long count) {
  std::string digits = std::to_string(count < 0 ? -count : count);
  for (int place = static_cast<int>(digits.size()) - 3; place > 0; place -= 3)
    digits.insert(static_cast<std::size_t>(place), " ");
  return (count < 0 ? "-" : "") + digits;
}

std::string format_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02d} s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{} h {:02d} min", whole / 3600, whole % 3600 / 60);
  return fmt::format("{} d {} h", whole / 86400, whole % 86400 / 3600);
}

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  auto size = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* next : {"kB", "MB", "GB", "TB", "PB"}) {
    if (size < 999.5) break;
    size /= 1000;
    unit = next;
  }
  return size < 9.95 ? fmt::format("{:.1f} {}", size, unit) : fmt::format("{:.0f} {}", size, unit);
}

std::string format_time(std::int64_t microseconds) {
  const std::time_t seconds = microseconds / 1'000'000;
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts)};
}

}  // namespace bgw::report
