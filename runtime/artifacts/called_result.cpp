#include "runtime/artifacts/called_result.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace bgw::artifacts {
namespace {

std::string text_of(const schema::Value& value) {
  if (value.is_string()) return value.as_string();
  return value.is_number() ? fmt::format("{:.9g}", value.as_double()) : schema::to_json(value);
}

std::vector<std::string> words_of(const schema::Map& arguments) {
  std::vector<std::string> words;
  for (const auto& [name, value] : arguments) {
    if (!value.is_none()) words.push_back(fmt::format("{}={}", name, text_of(value)));
  }
  return words;
}

/// What stands between the brackets, part for part.
std::vector<std::string> words_in(const std::string& result, std::size_t open) {
  std::vector<std::string> words;
  std::size_t from = open + 1;
  while (from < result.size()) {
    const std::size_t end = std::min(result.find(", ", from), result.size() - 1);
    words.push_back(result.substr(from, end - from));
    from = end + 2;
  }
  return words;
}

}  // namespace

std::string called_result(const std::string& name, const schema::Map& arguments) {
  return fmt::format("{}({})", name, fmt::join(words_of(arguments), ", "));
}

std::vector<std::string> meant_results(const std::vector<std::string>& known, const std::string& name, const schema::Map& arguments) {
  std::vector<std::string> wanted = words_of(arguments), meant;
  for (const std::string& result : known) {
    if (!result.starts_with(name + "(") || !result.ends_with(")")) continue;
    const std::vector<std::string> words = words_in(result, name.size());
    const auto stands = [&](const std::string& word) { return std::find(words.begin(), words.end(), word) != words.end(); };
    if (std::all_of(wanted.begin(), wanted.end(), stands)) meant.push_back(result);
  }
  return meant;
}

}  // namespace bgw::artifacts
