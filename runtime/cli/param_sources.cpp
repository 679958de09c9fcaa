#include "runtime/cli/param_sources.h"

#include <fmt/format.h>

#include <toml++/toml.h>

#include <cmath>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "compiler/source/read_source.h"
#include "runtime/cli/failure.h"

extern char** environ;

namespace bgw::cli {
namespace {

constexpr std::string_view kVariablePrefix = "BGW_P_";

std::string place_in(const std::string& path, const toml::source_position& position) {
  return fmt::format("{}:{}:{}", path, position.line, position.column);
}

[[noreturn]] void refuse(const std::string& place, const std::string& problem) {
  throw CommandFailure(kWrongProgram, fmt::format("{}: {}", place, problem));
}

// A point or an exponent stays, so that 60.0 is not taken for the int 60.
std::string text_of(double number) {
  std::string text = fmt::format("{}", number);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string text_of(const toml::node& value, const std::string& name, const std::string& place) {
  if (const auto integer = value.as_integer()) return fmt::format("{}", integer->get());
  if (const auto boolean = value.as_boolean()) return boolean->get() ? "true" : "false";
  if (const auto string = value.as_string()) {
    if (string->get().empty()) refuse(place, fmt::format("the value of `{}` is empty", name));
    return string->get();
  }
  if (const auto number = value.as_floating_point()) {
    if (std::isfinite(number->get())) return text_of(number->get());
    refuse(place, fmt::format("`{}` is not finite: a param is a finite number", name));
  }
  const char* help = "write a number, true, false or a string such as \"250 K\"";
  if (value.is_array()) refuse(place, fmt::format("`{}` is a list, and a param is one value: {}", name, help));
  refuse(place, fmt::format("`{}` is a date or a time, which no param is: {}", name, help));
}

// A table holds the params of an import: rho in [water] is water.rho.
void collect(const toml::table& table, const std::string& prefix, const std::string& path, GivenParams& given) {
  for (const auto& [key, value] : table) {
    const std::string name = prefix + std::string(key.str());
    const std::string place = place_in(path, key.source().begin);
    if (const toml::table* inner = value.as_table())
      collect(*inner, name + ".", path, given);
    else
      given[name] = {text_of(value, name, place), place};
  }
}

toml::table parse(const std::string& text, const std::string& path) {
  try {
    return toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    std::string problem(error.description());  // "Error while parsing string: ..."
    constexpr std::string_view kOpening = "Error while parsing ";
    if (problem.starts_with(kOpening)) problem.erase(0, kOpening.size());
    refuse(place_in(path, error.source().begin),
           fmt::format("this is no TOML ({}): write for instance `T = \"250 K\"`", problem));
  }
}

}  // namespace

GivenParams params_of_command_line(const std::vector<std::string>& parameters) {
  GivenParams given;
  for (const std::string& parameter : parameters) {
    const std::size_t equals = parameter.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == parameter.size()) {
      throw CommandFailure(kWrongUse,
                           fmt::format("`-p {}` is not NAME=VALUE: write for instance `-p T=250K`", parameter));
    }
    const std::string name = parameter.substr(0, equals);
    if (!given.emplace(name, GivenParam{parameter.substr(equals + 1), kCommandLine}).second) {
      throw CommandFailure(kWrongUse, fmt::format("`-p {}` is given twice", name));
    }
  }
  return given;
}

GivenParams params_of_file(const std::string& path) {
  source::ReadFailure failure;
  const std::optional<std::string> text = source::read_source(path, failure);
  if (!text && failure.unreadable) throw CommandFailure(kWrongUse, failure.message);
  if (!text) refuse(path, "a file of params is UTF-8 text of at most 64 MiB");
  const toml::table table = parse(*text, path);
  GivenParams given;
  collect(table, "", path, given);
  return given;
}

bool environment_has_params() {
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::string_view(*entry).starts_with(kVariablePrefix)) return true;
  }
  return false;
}

GivenParams params_of_environment(const std::vector<std::string>& known) {
  GivenParams given;
  for (const std::string& name : known) {
    const std::string variable = std::string(kVariablePrefix) + name;
    const char* text = std::getenv(variable.c_str());
    if (text && *text) given[name] = {text, variable};
  }
  return given;
}

}  // namespace bgw::cli
