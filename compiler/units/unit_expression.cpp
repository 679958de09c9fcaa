#include "compiler/units/unit_expression.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <stdexcept>

#include "compiler/source/diagnostic.h"
#include "compiler/units/unit_table.h"

namespace bgw::units {
namespace {

/// number? unit? (("*" | "/") factor)* with factor = unit ("^" integer)?; a leading "/" divides one.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Quantity read() {
    skip();
    Quantity result{1, {}, false};
    bool anything = false;
    if (starts_number()) {
      result.value = number();
      anything = true;
    }
    skip();
    if (starts_name()) {
      result = result * factor();
      anything = true;
    }
    for (skip(); at_ < text_.size(); skip()) {
      const char sign = text_[at_];
      if (sign != '*' && sign != '/') fail();
      ++at_;
      skip();
      if (!starts_name()) fail();
      result = sign == '*' ? result * factor() : result / factor();
      anything = true;
    }
    if (!anything) throw std::invalid_argument("a number or a unit is expected where nothing is written");
    return result;
  }

 private:
  void skip() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool starts_number() const {
    if (at_ >= text_.size()) return false;
    const char c = text_[at_];
    return std::isdigit(static_cast<unsigned char>(c)) || c == '-' || c == '+' || c == '.';
  }
  bool starts_name() const {
    return at_ < text_.size() && (std::isalpha(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_');
  }

  double number() {
    std::string digits;
    std::size_t i = at_;
    const auto take_while = [&](auto wanted) {
      while (i < text_.size() && wanted(text_[i])) {
        if (text_[i] != '_') digits += text_[i];
        ++i;
      }
    };
    const auto digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) || c == '_'; };
    if (text_[i] == '+') ++i;
    else if (text_[i] == '-') digits += text_[i++];
    take_while([&](char c) { return digit(c) || c == '.'; });
    if (i < text_.size() && (text_[i] == 'e' || text_[i] == 'E')) {
      std::size_t after = i + 1;
      if (after < text_.size() && (text_[after] == '-' || text_[after] == '+')) ++after;
      if (after < text_.size() && std::isdigit(static_cast<unsigned char>(text_[after]))) {  // 2e3, not the unit of "2 eV"
        digits += 'e';
        for (++i; i < after; ++i) {
          if (text_[i] == '-') digits += '-';
        }
        take_while(digit);
      }
    }
    double value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) fail();
    at_ = i;
    return value;
  }

  Quantity factor() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_')) ++at_;
    const std::string name(text_.substr(begin, at_ - begin));
    const auto unit = find_unit(name);
    if (!unit) {
      const std::string near = source::nearest(name, unit_names());
      throw std::invalid_argument(fmt::format("no unit `{}`{}", name, near.empty() ? "" : "; did you mean `" + near + "`?"));
    }
    skip();
    if (at_ >= text_.size() || text_[at_] != '^') return *unit;
    ++at_;
    skip();
    int exponent = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), exponent);
    if (error != std::errc()) fail();
    at_ = static_cast<std::size_t>(end - text_.data());
    return power(*unit, exponent);
  }

  [[noreturn]] void fail() const {
    throw std::invalid_argument(fmt::format("`{}` is no quantity: `{}` is not understood", text_, text_.substr(at_)));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Quantity parse_quantity(std::string_view text) { return Reader(text).read(); }

std::string format_in_unit(double base_value, std::string_view unit) {
  if (unit.empty()) return fmt::format("{}", base_value);
  // 15 digits undo the rounding of the conversion; more would show it.
  const std::string number = fmt::format("{:.15g}", base_value / parse_quantity(unit).value);
  return fmt::format("{} {}", number, unit);
}

std::string energy_as_temperature(double energy, std::string_view written) {
  return fmt::format("{} is kB × {:.4g} K", written, energy / kBoltzmann);
}

}  // namespace bgw::units
