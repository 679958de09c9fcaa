#include <algorithm>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"

namespace bgw::semantics {
namespace {

std::string listed(const std::vector<std::string>& texts) {
  std::string text;
  for (std::size_t i = 0; i < texts.size() && i < 8; ++i) text += (i ? ", " : "") + texts[i];
  return texts.size() > 8 ? text + ", …" : text;
}

}  // namespace

/// How a member of the family is written there: with the indices that are at hand, or the first of each axis.
std::string Elaborator::member_of(const Family& family, const Scope& scope) const {
  std::string name = family.block->name.text;
  if (family.axes.empty() || family.kind->indexed_as_rows) return name;
  for (std::size_t i = 0; i < family.axes.size(); ++i) {
    std::string index = family.tables.size() > i ? family.tables[i]->texts.front() : family.variables[i];
    for (const Scope* at = &scope; at != nullptr; at = at->parent) {
      for (const Local& local : at->locals) {
        if (local.axis == family.axes[i]) index = local.name;
      }
    }
    name += (i == 0 ? "[" : ", ") + index;
  }
  return name + "]";
}

/// Where a value stands on an axis of a family; nullopt when it does not, which is told.
std::optional<std::size_t> Elaborator::position_on(const Family& family, std::size_t at, const Evaluated& wanted, SourceRange range) {
  if (wanted.is_poison()) return std::nullopt;
  const AxisTable& axis = *family.tables[at];
  const std::string text = index_text(wanted);
  const auto found = axis.positions.find(text);
  if (found != axis.positions.end() && equal(axis.values[found->second], wanted)) return found->second;
  error("E0209", range, fmt::format("{} is not in axis `{}` ({})", text == "?" ? describe(wanted) : text, family.axes[at], listed(axis.texts)),
        did_you_mean(text, axis.texts, fmt::format("take one of its values, or add this one to axis `{}`", family.axes[at])));
  return std::nullopt;
}

/// The positions along one axis that an index names; false when a mistake was told.
bool Elaborator::positions_of(Family& family, const syntax::IndexArgument& argument, std::size_t at, const Scope& scope,
                              std::vector<std::size_t>& positions, bool* none) {
  const std::string& name = family.block->name.text;
  const AxisTable& axis = *family.tables[at];
  if (const auto* bare = std::get_if<syntax::Reference>(&argument.value->what); bare && bare->trailers.empty()) {
    const Local* local = scope.find(bare->name.text);
    if (local && local->table == &axis) {  // `n` of the same axis: nothing to look up
      positions.push_back(local->position);
      return true;
    }
    if (local && !local->axis.empty() && local->axis != family.axes[at] &&
        std::find(family.axes.begin(), family.axes.end(), local->axis) != family.axes.end()) {
      error("E0208", argument.range, fmt::format("index {} of `{}` is `{}`, got `{}`", at + 1, name, family.axes[at], local->axis),
            {fmt::format("the order is `{}[{}]`", name, fmt::join(family.variables, ", "))});
      return false;
    }
  }
  const Evaluated wanted = evaluate(*argument.value, scope, &axis.words);
  if (wanted.is_poison()) return false;
  if (wanted.as<None>() && none) {
    *none = true;
    return true;
  }
  const auto position = position_on(family, at, wanted, argument.range);
  if (position) positions.push_back(*position);
  return position.has_value();
}

/// The members an index names, in the order of the axes; without an index all of them.
/// @param none  set when an index is none, as `prev(n)` of the first value
std::vector<const Instance*> Elaborator::select(Family& family, const syntax::IndexTrailer* index, const Scope& scope,
                                                SourceRange range, bool& sliced, bool& wrong, bool* none) {
  const std::string& name = family.block->name.text;
  plan_family(family);
  const std::size_t rank = family.kind->indexed_as_rows ? 0 : family.axes.size();
  wrong = true;
  if (!family.good) return {};
  if (index != nullptr && index->arguments.size() != rank) {
    error("E0211", range, fmt::format("`{}` has {} {}, got {}", name, rank, rank == 1 ? "index" : "indices", index->arguments.size()),
          {fmt::format("write `{}`", member_of(family, scope))});
    return {};
  }
  std::vector<std::vector<std::size_t>> positions(rank);
  std::vector<bool> given(rank, false);
  for (std::size_t i = 0; i < rank; ++i) {
    std::size_t at = i;
    if (index != nullptr && index->arguments[i].axis) {
      const syntax::Name& axis = *index->arguments[i].axis;
      const auto found = std::find(family.axes.begin(), family.axes.end(), axis.text);
      if (found == family.axes.end()) {
        error("E0212", axis.range, fmt::format("`{}` has no axis `{}`", name, axis.text), did_you_mean(axis.text, family.axes),
              {fmt::format("its axes are [{}]", fmt::join(family.axes, ", "))});
        return {};
      }
      at = static_cast<std::size_t>(found - family.axes.begin());
    }
    if (given[at]) {
      error("E0211", index->arguments[i].range, fmt::format("axis `{}` of `{}` is given twice", family.axes[at], name), {fmt::format("write `{}`", member_of(family, scope))});
      return {};
    }
    given[at] = true;
    if (index == nullptr || index->arguments[i].all) {
      sliced = true;
      for (std::size_t k = 0; k < family.tables[at]->values.size(); ++k) positions[at].push_back(k);
    } else if (!positions_of(family, index->arguments[i], at, scope, positions[at], none)) {
      return {};
    }
  }
  wrong = false;
  if (none && *none) return {};
  if (!sliced) {
    std::size_t position = 0;
    for (std::size_t i = 0; i < rank; ++i) position = position * family.tables[i]->values.size() + positions[i][0];
    const Instance* instance = instance_at(family, position, range);
    wrong = instance == nullptr;
    return {instance};
  }
  std::vector<const Instance*> chosen;
  std::vector<std::size_t> counter(rank, 0);
  while (true) {
    std::size_t position = 0;
    for (std::size_t i = 0; i < rank; ++i) position = position * family.tables[i]->values.size() + positions[i][counter[i]];
    const Instance* instance = instance_at(family, position, range);
    if (instance == nullptr) {
      wrong = true;
      return {};
    }
    chosen.push_back(instance);
    if (!affords(1, range)) {
      wrong = true;
      return {};
    }
    std::size_t digit = rank;
    while (digit > 0 && ++counter[digit - 1] == positions[digit - 1].size()) counter[--digit] = 0;
    if (digit == 0) return chosen;
  }
}

}  // namespace bgw::semantics
