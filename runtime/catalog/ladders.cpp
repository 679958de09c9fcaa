#include "runtime/catalog/ladders.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/catalog/states.h"
#include "runtime/catalog/values.h"

namespace bgw::catalog {
namespace {

using schema::CheckContext;
using schema::List;
using schema::Map;
using schema::Type;
using schema::TypeKind;
using schema::Value;

constexpr std::int64_t kMostTemperatures = 1000;

bool same(double a, double b) { return std::abs(a - b) <= 1e-9 * std::max(std::abs(a), std::abs(b)); }

void complain(CheckContext& context, std::string message, std::vector<std::string> notes, std::string help) {
  context.complain({"E0428", "path", std::move(message), std::move(notes), {std::move(help)}});
}

void check_base(const Map& reference, CheckContext& context) {
  const schema::UpstreamTask base = context.upstream(reference.at("path").at("base"));
  const State theirs = state_of(base, context);
  for (const Variable& variable : theirs.open()) {
    context.complain({"E0413", "path", fmt::format("the chains of {} move in the modes of one state, `{}` is of a range", context.block, base.name), {},
                      {fmt::format("write for instance `at({}, {} = {})`", base.name, variable.name, shown(context, range_of(*theirs.find(variable)).middle(), variable.dimension))}});
    return;
  }
  expect_same(state_of(reference).system, theirs.system, "system", "path", fmt::format("`{}`", base.name), context);
}

/// A temperature that the ladder must have, and whose it is.
struct Fixed {
  double temperature = 0;
  std::string whose;
};

std::optional<double> temperature_of(const State& state) {
  const Value* temperature = state.ensemble ? given(*state.ensemble, "temperature") : nullptr;
  if (temperature == nullptr || !temperature->is_number()) return std::nullopt;
  return temperature->as_double();
}

/// Those of the ensemble and the anchors; anchors that cannot be are complained about.
std::vector<Fixed> fixed_temperatures(const Map& reference, CheckContext& context) {
  std::vector<Fixed> fixed;
  const State mine = state_of(reference);
  if (const auto own = temperature_of(mine)) fixed.push_back({*own, "the ensemble"});
  const List& anchors = reference.at("path").at("anchors").as_list();
  if (anchors.empty()) {
    complain(context, fmt::format("the ladder of {} has no anchor", context.block), {"chains at several temperatures tell differences; absolute free energies come from references at one or two of them"},
             "write for instance `anchors = [hot]`, a reference with `path = base_to_target(…)`");
  }
  for (std::size_t i = 0; i < anchors.size(); ++i) {
    const schema::UpstreamTask anchor = context.upstream(anchors[i]);
    const State theirs = state_of(anchor, context);
    if (const std::vector<Variable> open = theirs.open(); !open.empty()) {
      context.complain({"E0413", "path", fmt::format("the anchor `{}` of {} leaves `{}` open", anchor.name, context.block, open.front().name), {"an anchor says the free energy of one state"},
                        {"take a reference at one temperature of the ladder, `path = base_to_target(…)`"}});
      continue;
    }
    expect_same(mine.system, theirs.system, "system", "path", fmt::format("`{}`", anchor.name), context);
    if (std::count(anchors.begin(), anchors.begin() + static_cast<std::ptrdiff_t>(i), anchors[i]) > 0) {
      complain(context, fmt::format("`{}` stands twice among the anchors of {}", anchor.name, context.block), {"it would count as two measurements"}, "leave one of the two out");
    }
    if (const auto temperature = temperature_of(theirs)) fixed.push_back({*temperature, fmt::format("anchor `{}`", anchor.name)});
  }
  return fixed;
}

bool check_list(const List& temperatures, const std::vector<Fixed>& fixed, CheckContext& context) {
  if (temperatures.size() < 2) {
    complain(context, fmt::format("the ladder of {} needs at least two temperatures, it lists {}", context.block, temperatures.size()), {}, "write for instance `temperatures = [300 K, 400 K, 500 K]`, or their number with `from` and `to`");
    return false;
  }
  for (std::size_t i = 1; i < temperatures.size(); ++i) {
    if (temperatures[i - 1].as_double() < temperatures[i].as_double()) continue;
    complain(context, fmt::format("the temperatures of {} do not rise", context.block),
             {fmt::format("{} stands before {}", shown(context, temperatures[i - 1].as_double(), "temperature"), shown(context, temperatures[i].as_double(), "temperature"))},
             "list them from the lowest to the highest");
    return false;
  }
  for (const Fixed& each : fixed) {
    if (std::any_of(temperatures.begin(), temperatures.end(), [&each](const Value& t) { return same(t.as_double(), each.temperature); })) continue;
    complain(context, fmt::format("{} of {} is at {}, its ladder has no such temperature", each.whose, context.block, shown(context, each.temperature, "temperature")), {},
             fmt::format("write {} into the list, or the number of temperatures with `from` and `to`: the ladder then passes there", shown(context, each.temperature, "temperature")));
    return false;
  }
  return true;
}

/// The temperatures that a ladder between two ends must pass, rising; empty after a complaint.
std::vector<double> passed(const Range& ends, const std::vector<Fixed>& fixed, CheckContext& context) {
  std::vector<double> all{ends.low, ends.high};
  for (const Fixed& each : fixed) {
    if (!ends.holds(each.temperature)) {
      complain(context, fmt::format("the ladder of {} does not pass the temperature of {}", context.block, each.whose),
               {fmt::format("it goes from {} to {}, {} is at {}", shown(context, ends.low, "temperature"), shown(context, ends.high, "temperature"), each.whose, shown(context, each.temperature, "temperature"))},
               "begin or end there, or enclose it");
      return {};
    }
    if (std::none_of(all.begin(), all.end(), [&each](double t) { return same(t, each.temperature); })) all.push_back(each.temperature);
  }
  std::sort(all.begin(), all.end());
  return all;
}

/// The list of temperatures; none after a complaint.
std::optional<List> temperatures_between(const Value& path, const std::vector<Fixed>& fixed, CheckContext& context) {
  const Value *from = given(path, "from"), *to = given(path, "to");
  if (from == nullptr || to == nullptr) {
    complain(context, fmt::format("the ladder of {} lacks `{}`", context.block, from == nullptr ? "from" : "to"), {}, "write for instance `from = 300 K, to = 900 K`, or list its `temperatures`");
    return std::nullopt;
  }
  const Range ends{std::min(from->as_double(), to->as_double()), std::max(from->as_double(), to->as_double())};
  if (same(ends.low, ends.high)) {
    complain(context, fmt::format("the ladder of {} begins and ends at {}", context.block, shown(context, ends.low, "temperature")), {}, "write another end");
    return std::nullopt;
  }
  const std::vector<double> stops = passed(ends, fixed, context);
  const std::int64_t count = path.at("temperatures").as_int();
  if (stops.empty()) return std::nullopt;
  if (count > kMostTemperatures) {
    complain(context, fmt::format("the ladder of {} has {} temperatures, at most {} are taken", context.block, count, kMostTemperatures), {}, "write fewer");
    return std::nullopt;
  }
  if (count < std::ssize(stops)) {
    std::vector<std::string> words;
    for (const double stop : stops) words.push_back(shown(context, stop, "temperature"));
    complain(context, fmt::format("the ladder of {} has {} temperatures, too few to pass where it must", context.block, count),
             {fmt::format("its ends, the ensemble and the anchors are at {}", fmt::join(words, ", "))}, fmt::format("write `temperatures = {}` or more", stops.size()));
    return std::nullopt;
  }
  List list;
  for (const double temperature : ladder_through(stops, count)) list.push_back(temperature);
  return list;
}

}  // namespace

bool is_temperature_ladder(const Value& path) {
  const std::string& name = path.at("call").as_string();
  return name == "replica_exchange" || name == "temperature_ladder";
}

std::vector<double> ladder_through(const std::vector<double>& fixed, std::int64_t count) {
  std::vector<std::int64_t> steps(fixed.size() - 1, 1);
  const auto width = [&](std::size_t i) { return std::log(fixed[i + 1] / fixed[i]) / static_cast<double>(steps[i]); };
  for (std::int64_t left = count - std::ssize(fixed); left > 0; --left) {
    std::size_t widest = 0;
    for (std::size_t i = 1; i < steps.size(); ++i) {
      if (width(i) > width(widest)) widest = i;
    }
    steps[widest] += 1;
  }
  std::vector<double> ladder;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    for (std::int64_t j = 0; j < steps[i]; ++j) {
      const double share = static_cast<double>(j) / static_cast<double>(steps[i]);
      ladder.push_back(j == 0 ? fixed[i] : fixed[i] * std::pow(fixed[i + 1] / fixed[i], share));
    }
  }
  ladder.push_back(fixed.back());
  return ladder;
}

void complete_ladder(Map& reference, CheckContext& context) {
  check_base(reference, context);
  const std::vector<Fixed> fixed = fixed_temperatures(reference, context);
  Map path = reference.at("path").as_map();
  if (path.at("temperatures").is_list()) {
    if (given(reference.at("path"), "from") != nullptr || given(reference.at("path"), "to") != nullptr) {
      complain(context, fmt::format("the ladder of {} lists its temperatures, `from` and `to` have no use", context.block), {}, "leave them out, or write how many temperatures it has");
      return;
    }
    check_list(path.at("temperatures").as_list(), fixed, context);
    return;
  }
  const std::optional<List> temperatures = temperatures_between(reference.at("path"), fixed, context);
  if (!temperatures) return;
  // One ladder has one key, however it is written.
  path["temperatures"] = *temperatures;
  path["from"] = Value();
  path["to"] = Value();
  reference["path"] = path;
}

std::vector<schema::Attribute> ladder_arguments() {
  const Type temperature = Type::quantity("temperature");
  return {{"base", Type::reference({"base"}), "in whose modes the chains move, of any temperature", true, {}},
          {"from", temperature, "one end; left out with a list", false, {}, {}, kPositive, "300 K"},
          {"to", temperature, "the other end; left out with a list", false, {}, {}, kPositive, "900 K"},
          {"temperatures", Type::any_of({Type::of(TypeKind::integer), Type::list(temperature)}),
           "how many, with both ends: evenly spaced in their logarithms but for those of the ensemble and the anchors, which are among them; or a list", true, {}, {}, kPositive, "21"},
          {"anchors", Type::list(Type::reference({"reference"})), "references that tell the absolute free energy at one or two of the temperatures", true, {}, {}, {}, "[hot]"}};
}

}  // namespace bgw::catalog
