#include <algorithm>
#include <cctype>
#include <filesystem>
#include <unordered_map>

#include <fmt/format.h>

#include "compiler/plan/sha256.h"
#include "compiler/semantics/elaborator.h"
#include "compiler/semantics/quantities.h"
#include "compiler/units/unit_expression.h"

namespace bgw::semantics {
namespace {

constexpr int kLongestChain = 300;  // of members that need each other: each takes a good part of the stack

/// The number a product of units begins with: `6.189 kcal` of `6.189 kcal/mol`.
const syntax::Expression* leftmost(const syntax::Expression* expression) {
  while (const auto* binary = std::get_if<syntax::Binary>(&expression->what)) {
    if (binary->op != syntax::BinaryOperator::multiply && binary->op != syntax::BinaryOperator::divide) return nullptr;
    expression = binary->left.get();
  }
  return expression;
}

std::string without_blanks(std::string text) {
  std::erase_if(text, [](unsigned char c) { return std::isspace(c) != 0 || c == '(' || c == ')'; });
  return text;
}

}  // namespace

Instance& Elaborator::add_instance(const schema::KindSchema& kind, const std::string& block, SourceRange range) {
  const auto number = static_cast<std::int64_t>(model_->instances.size());
  Instance& instance = model_->instances.emplace_back();
  instance.number = number;
  instance.kind = &kind;
  instance.block = block;
  instance.range = range;
  return instance;
}

Instance* Elaborator::find_task(const Value& task) {
  const Value* number = task.find("task");
  return number && number->is_int() ? &model_->instances[static_cast<std::size_t>(number->as_int())] : nullptr;
}

/// The member of a family at a position, resolved; nullptr when it needs itself.
Instance* Elaborator::instance_at(Family& family, std::size_t position, std::optional<SourceRange> asked_at) {
  if (Instance* known = family.instances[position]) {
    if (!family.running.count(known)) return known;
    ++errors_;
    if (!told_.insert("itself " + family.name).second) return nullptr;  // of each member it is one mistake
    const auto begin = std::find(chain_.begin(), chain_.end(), known->name);
    std::string path;
    for (auto at = begin; at != chain_.end(); ++at) path += *at + " needs ";
    const std::string variable = family.variables.empty() ? "" : family.variables.back();
    error("E0210", asked_at.value_or(family.block->name.range), fmt::format("`{}` needs itself", known->name),
          {variable.empty() ? "leave out one of the two uses" : fmt::format("let each take what was made before it, as `{}[prev({})]`", family.block->name.text, variable)},
          {path + known->name});
    return nullptr;
  }
  if (instance_depth_ >= kLongestChain) {
    error("E0410", family.block->name.range, fmt::format("more than {} members of `{}` need each other in a chain", kLongestChain, family.block->name.text),
          {"let them go along the axis in its order: `prev(n)` instead of `next(n)`"});
    return nullptr;
  }
  Instance& instance = add_instance(*family.kind, family.name, family.block->name.range);
  family.instances[position] = &instance;
  std::vector<Scope> scopes(family.members.layers.size());
  scopes[0].module = family.module;
  scopes[0].run_time = family.kind->makes == schema::Makes::inline_task || family.kind->makes == schema::Makes::check;
  const std::size_t rank = family.kind->indexed_as_rows ? 0 : family.tables.size();
  instance.indices.resize(rank);
  instance.name = family.name;
  scopes[0].locals.resize(rank);
  for (std::size_t i = rank, rest = position; i-- > 0; rest /= family.tables[i]->values.size()) {
    const std::size_t at = rest % family.tables[i]->values.size();
    scopes[0].locals[i] = {family.variables[i], family.tables[i]->values[at], family.axes[i], at, family.tables[i]};
    instance.indices[i] = {family.tables[i]->texts[at], to_value(family.tables[i]->values[at])};
  }
  for (std::size_t i = 0; i < rank; ++i) instance.name += (i == 0 ? "[" : ",") + instance.indices[i].text;
  if (rank > 0) {
    instance.name += "]";
    instance.axes = family.index_names;
  }
  Traits* outer_traits = std::exchange(traits_, &instance.traits);
  const std::string outer_place = std::exchange(place_, std::string());
  const schema::Type* outer_type = std::exchange(asked_, nullptr);
  std::map<const Written*, SourceRange> origins;
  auto* outer_origins = std::exchange(origins_, &origins);
  const std::size_t errors_before = errors_;
  family.running.insert(&instance);
  chain_.push_back(instance.name);
  ++instance_depth_;
  resolve_instance(family, instance, scopes);
  --instance_depth_;
  chain_.pop_back();
  family.running.erase(&instance);
  traits_ = outer_traits;
  place_ = outer_place;
  asked_ = outer_type;
  origins_ = outer_origins;
  if (errors_ != errors_before) instance.good = false;
  return &instance;
}

/// The scopes of what a member extends: layer k + 1 is seen from layer k, each index a value of its axis.
void Elaborator::enter_bases(const Family& family, std::vector<Scope>& scopes) {
  for (std::size_t k = 0; k < family.bases.size(); ++k) {
    const Family& base = *family.bases[k].family;
    scopes[k + 1].module = base.module;
    scopes[k + 1].run_time = scopes[0].run_time;
    for (std::size_t i = 0; i < family.bases[k].bindings.size(); ++i) {
      const auto& [variable, expression] = family.bases[k].bindings[i];
      const AxisTable& table = *base.tables[i];
      Local local{variable, evaluate(*expression, scopes[k], &table.words), base.axes[i]};
      if (const auto position = position_on(base, i, local.value, expression->range)) {
        local.position = *position;
        local.table = &table;
      } else {
        local.value = poison();
      }
      scopes[k + 1].locals.push_back(std::move(local));
    }
  }
}

void Elaborator::resolve_instance(Family& family, Instance& instance, std::vector<Scope>& scopes) {
  const syntax::Block& block = *family.block;
  const std::string title = block.kind.text + " `" + block.name.text + "`";
  schema::Map arguments, policy;
  const std::size_t errors_before = errors_;
  if (!family.kind->indexed_as_rows) enter_bases(family, scopes);
  resolve_members(family.members, family.kind->attributes, family.kind->discriminator, block.kind.text, title, block.name.range, scopes,
                  arguments, family.kind);
  if (family.kind->indexed_as_rows) resolve_rows(family, instance, arguments, policy);
  else resolve_nested(family, instance, scopes, arguments, policy);
  for (const schema::Attribute& attribute : family.kind->attributes) {
    if (!attribute.policy) continue;
    const auto found = arguments.find(attribute.name);
    if (found == arguments.end()) continue;
    if (found->second.is_map()) policy.insert(found->second.as_map().begin(), found->second.as_map().end());
    arguments.erase(found);
  }
  if (errors_ != errors_before) instance.good = false;
  if (block.kind.text == "potential") note_written_units(family, instance, scopes[0], arguments);
  if (instance.good) note_scale(instance, arguments);
  bind_reduced(instance, arguments);
  if (block.kind.text == "expect") check_expectation(family, instance, scopes, arguments);
  if (instance.good && errors_ == errors_before) run_domain_check(instance, arguments, &family);
  if (family.kind->later) note_later(fmt::format("`{}`", family.kind->noun));
  std::sort(instance.traits.later.begin(), instance.traits.later.end());
  instance.arguments = std::move(arguments);
  if (!policy.empty()) instance.policy = std::move(policy);
}

/// The units in which a potential is written are those its results are shown in.
void Elaborator::note_written_units(Family& family, Instance& instance, const Scope& scope, const schema::Map& arguments) {
  for (const char* scale : {"epsilon", "sigma"}) {
    std::string& unit = scale == std::string_view("epsilon") ? instance.traits.energy_unit : instance.traits.length_unit;
    const auto attribute = family.members.written.find(scale);
    if (attribute == family.members.written.end()) continue;
    const syntax::Expression* written = attribute->second.attribute->value.get();
    if (const auto* name = std::get_if<syntax::Reference>(&written->what); name && name->trailers.empty() && !scope.find(name->name.text)) {
      const auto declared = family.module->declarations.find(name->name.text);
      const auto* item = declared == family.module->declarations.end() ? nullptr : &declared->second.item->what;
      const auto* param = item ? std::get_if<syntax::Param>(item) : nullptr;
      const auto* let = item ? std::get_if<syntax::Let>(item) : nullptr;
      if (param && param->value) written = param->value.get();
      const auto given = param ? overrides_.find(family.module->source->prefix + name->name.text) : overrides_.end();
      std::string problem;
      const auto quantity = given == overrides_.end() ? std::nullopt : quantity_from_text(given->second.text, problem);
      if (quantity) {  // the text of the program is not what it is now
        unit = quantity->reduced ? "lj" : scale == std::string_view("epsilon") ? "eV" : "angstrom";
        continue;
      }
      if (let) written = let->value.get();
    }
    const syntax::Expression* first = leftmost(written);
    const auto* literal = first ? std::get_if<syntax::NumberLiteral>(&first->what) : nullptr;
    if (literal && literal->unit) unit = without_blanks(shown({literal->unit->range.begin, written->range.end}));
    // However it is said: `eps * 2`, `if wide then 3 angstrom else 2 angstrom`.
    if (unit.empty()) unit = scale == std::string_view("epsilon") ? "eV" : "angstrom";
  }
  const bool springs_in_physical_units = instance.traits.physical && !arguments.contains("epsilon");
  if (instance.traits.energy_unit.empty()) instance.traits.energy_unit = springs_in_physical_units ? "eV" : "lj";
  if (instance.traits.length_unit.empty()) instance.traits.length_unit = springs_in_physical_units ? "angstrom" : "lj";
}

/// `value`, `reference` and `tolerance` are of one kind; numbers in lj are of that of the result.
void Elaborator::check_expectation(Family& family, Instance& instance, const std::vector<Scope>& scopes, schema::Map& arguments) {
  const auto find = [&](const char* name) -> std::optional<Evaluated> {
    const auto written = family.members.written.find(name);
    if (written == family.members.written.end()) return std::nullopt;
    return evaluate(*written->second.attribute->value, scopes[written->second.layer]);
  };
  const auto dimension_of = [](const std::optional<Evaluated>& value) -> std::optional<units::Dimension> {
    if (!value) return std::nullopt;
    if (const auto* run_time = value->as<RunTime>()) return run_time->dimension;
    if (const auto quantity = as_quantity(*value)) return quantity->dimension;
    return std::nullopt;
  };
  const auto value = find("value");
  const auto wanted = dimension_of(value);
  if (!wanted) return;
  for (const char* name : {"reference", "tolerance"}) {
    const auto other = find(name);
    const auto dimension = dimension_of(other);
    if (!dimension) continue;
    const auto* number = other->as<units::Quantity>();
    const bool in_lj = number && number->reduced;
    const auto* result = value->as<RunTime>();
    if (in_lj && result) {
      const auto bound = reduced_beside(*number, *result);
      if (bound) {
        arguments[name] = name == std::string_view("tolerance") ? *bound : constant_expression(*bound, *wanted);
        continue;
      }
    }
    if (*wanted == *dimension && !in_lj) continue;
    const SourceRange place = family.members.written.find(name)->second.attribute->value->range;
    const std::string phrase = wanted->is_dimensionless() ? "a plain number" : units::dimension_phrase(*wanted);
    error("E0301", place,
          fmt::format("{} given where {} is expected", in_lj ? "a number in lj units" : dimension->is_dimensionless() ? "a plain number" : units::dimension_name(*dimension), phrase),
          {wanted->is_dimensionless()                  ? "leave the unit out"
           : !in_lj && dimension->is_dimensionless() ? fmt::format("did you mean `{} {}`?", shown(place), units::usual_unit(*wanted))
                                                       : fmt::format("write it in {}", units::usual_unit(*wanted))},
          {fmt::format("`value` is {}", phrase)});
    instance.good = false;
  }
}

namespace {

/// The attribute a complaint is about: "atoms", or "stage.main.temperature" in a nested block.
const Written* written_at(const Family& family, const std::string& path) {
  const auto own = family.members.written.find(path);
  if (own != family.members.written.end()) return &own->second;
  for (const NestedPlan& nested : family.nested) {
    const std::string in_front = fmt::format("{}.{}.", nested.schema->kind, nested.name);
    if (!path.starts_with(in_front)) continue;
    const auto inner = nested.members.written.find(path.substr(in_front.size()));
    if (inner != nested.members.written.end()) return &inner->second;
  }
  return nullptr;
}

/// The nested block that a complaint is about: "series.line".
std::optional<SourceRange> nested_at(const Family& family, const std::string& path) {
  for (const NestedPlan& nested : family.nested) {
    if (path == fmt::format("{}.{}", nested.schema->kind, nested.name)) return nested.where;
  }
  return std::nullopt;
}

std::string shown_in_units(const Instance& instance, double value, const char* dimension) {
  const auto wanted = dimension_named(dimension).value_or(units::Dimension{});
  if (instance.traits.scale.kind == Scale::Kind::reduced) return fmt::format("{:.4g} lj", value / from_reduced(1.0, wanted));
  const std::string unit = units::usual_unit(wanted);
  return unit.empty() ? fmt::format("{:.4g}", value) : fmt::format("{:.4g} {}", value / units::parse_quantity(unit).value, unit);
}

}  // namespace

/// The bytes of a file that is named at a place of the program. Members of a family name one file often: it is read once.
std::optional<std::string> Elaborator::read_file(const std::string& path, SourceRange stands, std::string& problem) {
  const std::string seen = source::path_seen_from(text_.file_at(stands.begin).path(), path);
  const auto known = model_->files.find(seen);
  if (known != model_->files.end() && known->second) return known->second;
  std::error_code error;
  if (from_disk_ && std::filesystem::is_fifo(seen, error)) {  // it would be waited for without end
    problem = fmt::format("cannot read {}: it is a pipe", seen);
    return std::nullopt;
  }
  return model_->files[seen] = read_(seen, problem);
}

/// SHA-256 of a file, which may be larger than memory.
std::optional<std::string> Elaborator::hash_file(const std::string& seen, std::string& problem) {
  if (const auto known = model_->hashes.find(seen); known != model_->hashes.end()) return known->second;
  std::optional<std::string> hash;
  std::error_code error;
  if (!from_disk_) {
    if (const auto bytes = read_(seen, problem)) hash = plan::sha256(*bytes).hex();
  } else if (!std::filesystem::is_regular_file(seen, error)) {
    problem = fmt::format("cannot read {}: {}", seen, error ? error.message() : std::filesystem::exists(seen) ? "it is no file" : "there is no such file");
  } else {
    try {
      hash = plan::sha256_of_file(seen).hex();
    } catch (const std::runtime_error& failure) {
      problem = failure.what();
    }
  }
  if (hash) model_->hashes[seen] = *hash;
  return hash;
}

schema::UpstreamTask Elaborator::upstream_of(const Value& task) {
  const Instance* found = find_task(task);
  if (!found || !found->good) return {};
  return {found->kind->noun, found->name, found->arguments.is_map() ? &found->arguments.as_map() : nullptr};
}

/// Whether a result can be what is asked of it; without a call nothing is written.
bool Elaborator::check_asked(const Instance& of, const schema::Result& result, const schema::Map& asked, const std::vector<syntax::CallArgument>& written, SourceRange range) {
  if (!of.kind->check_result || !of.good || !of.arguments.is_map()) return true;
  const auto place_of = [&](const std::string& argument) {
    for (std::size_t i = 0; i < written.size(); ++i) {
      if ((written[i].name ? written[i].name->text : result.arguments[i].name) == argument) return written[i].value->range;
    }
    return range;
  };
  bool good = true;
  schema::CheckContext context;
  context.block = of.kind->noun + " `" + of.block + "`";
  context.shown = [&](double value, const char* dimension) { return shown_in_units(of, value, dimension); };
  context.upstream = [&](const Value& task) { return upstream_of(task); };
  context.complain = [&](const schema::Complaint& complaint) {
    good = false;
    ++errors_;
    const SourceRange place = place_of(complaint.attribute);
    if (told_.insert(fmt::format("{} asked {}", complaint.id, place.begin)).second) error(complaint.id, place, complaint.message, complaint.helps, complaint.notes);
  };
  of.kind->check_result(of.arguments.as_map(), result.name, asked, context);
  return good;
}

/// What the schema says of the whole block. False when it complained.
bool Elaborator::run_domain_check(Instance& instance, schema::Map& arguments, Family* family) {
  if (!instance.kind->complete) return true;
  bool good = true;
  schema::CheckContext context;
  context.block = instance.kind->noun + " `" + instance.block + "`";
  context.shown = [&](double value, const char* dimension) { return shown_in_units(instance, value, dimension); };
  context.complain = [&](schema::Complaint complaint) {
    const Written* written = family ? written_at(*family, complaint.attribute) : nullptr;
    const SourceRange attribute = written ? written->attribute->value->range : family ? nested_at(*family, complaint.attribute).value_or(instance.range) : instance.range;
    SourceRange range = attribute;
    std::string label;
    if (written && origins_ && family->members.written.count(complaint.attribute)) {
      const SourceRange origin = (*origins_)[written];
      if (origin.end > origin.begin && (origin.begin < attribute.begin || origin.end > attribute.end)) {
        range = origin;
        label = fmt::format("used as `{}` in {} (line {})", complaint.attribute, context.block, text_.position(attribute.begin).line);
      }
    }
    // One cause for all members of a family is told once.
    const bool fresh = told_.insert(fmt::format("{} {} {}", complaint.id, static_cast<const void*>(family), range.begin)).second;
    if (complaint.warning) {
      if (fresh) sink_.add({complaint.id, source::Severity::warning, range, complaint.message, label, {}, complaint.notes, complaint.helps});
      return;
    }
    good = instance.good = false;
    ++errors_;
    if (fresh) error(complaint.id, range, complaint.message, complaint.helps, complaint.notes, label);
  };
  context.not_yet = [&](std::string what) {
    std::vector<std::string>& later = instance.traits.later;
    if (std::find(later.begin(), later.end(), what) == later.end()) later.push_back(std::move(what));
  };
  context.upstream = [&](const Value& task) { return upstream_of(task); };
  context.read_file = [&](const std::string& path, const std::string& attribute, std::string& problem) {
    const Written* written = family ? written_at(*family, attribute) : nullptr;
    return read_file(path, written ? written->attribute->value->range : instance.range, problem);
  };
  context.hash_file = [&](const std::string& path, const std::string& attribute, std::string& problem) {
    const Written* written = family ? written_at(*family, attribute) : nullptr;
    const SourceRange stands = written ? written->attribute->value->range : instance.range;
    const std::string seen = source::path_seen_from(text_.file_at(stands.begin).path(), path);
    instance.files[attribute] = seen;
    return hash_file(seen, problem);
  };
  instance.kind->complete(arguments, context);
  return good;
}

/// The tables of the axes of a family; false when one is missing or there are too many members.
bool Elaborator::find_axes(Family& family, std::size_t& total) {
  std::size_t size = 1;
  std::string shape;
  for (const syntax::IndexBinding& binding : family.block->indices) {
    const auto declared = family.module->declarations.find(binding.axis.text);
    if (declared == family.module->declarations.end() || !std::holds_alternative<syntax::Axis>(declared->second.item->what)) {
      missing_axis(*family.module, binding.axis);
      return false;
    }
    const AxisTable* table = axis_table(*family.module, binding.axis.text);
    if (!table) return false;
    family.tables.push_back(table);
    shape += fmt::format("{}{} {}", shape.empty() ? "" : " × ", binding.axis.text, table->values.size());
    if (__builtin_mul_overflow(size, table->values.size(), &size)) size = ~std::size_t{0} / 2;
  }
  if (size > kMostInstances) {
    error("E0410", family.block->name.range, fmt::format("`{}` has {} members ({}), limit {}", family.block->name.text, source::grouped(size), shape, source::grouped(kMostInstances)), {"take shorter axes"});
    return false;
  }
  total += family.kind->indexed_as_rows ? 1 : size;
  family.instances.assign(family.kind->indexed_as_rows ? 1 : size, nullptr);
  return true;
}

void Elaborator::resolve_all() {
  std::size_t total = 0;
  std::string largest;
  for (Family& family : families_) {
    if (family.module != &main()) continue;
    if (family.good && family.tables.empty()) family.good = find_axes(family, total);
    if (family.good && family.instances.size() > 1) largest += fmt::format("{}`{}` {}", largest.empty() ? "" : ", ", family.name, source::grouped(family.instances.size()));
  }
  if (total > kMostInstances) {
    if (largest.size() > 300) largest = largest.substr(0, largest.rfind(',', 300)) + ", …";
    error("E0410", {0, 0}, fmt::format("this program has {} blocks, limit {}", source::grouped(total), source::grouped(kMostInstances)), {"take shorter axes"}, {largest});
    return;
  }
  most_work_ += 300 * total;
  for (Family& family : families_) {
    if (family.module != &main() || !family.good) continue;
    plan_family(family);
    for (std::size_t position = 0; family.good && position < family.instances.size(); ++position) instance_at(family, position);
    warn_same_seed(family);
  }
}

/// Two members with one seed draw the same random numbers.
void Elaborator::warn_same_seed(Family& family) {
  const auto written = family.members.written.find("seed");
  if (!family.good || family.instances.size() < 2 || written == family.members.written.end()) return;
  std::unordered_map<std::int64_t, const Instance*> seeds;
  seeds.reserve(family.instances.size());
  for (const Instance* instance : family.instances) {
    const Value* seed = instance && instance->good ? instance->arguments.find("seed") : nullptr;
    if (!seed || !seed->is_int()) continue;
    const auto [first, fresh] = seeds.emplace(seed->as_int(), instance);
    if (fresh) continue;
    const syntax::Expression& expression = *written->second.attribute->value;
    const bool literal = std::holds_alternative<syntax::NumberLiteral>(expression.what) || std::holds_alternative<syntax::Reference>(expression.what);
    std::string root = literal ? shown(expression.range) : "seed";
    if (root.find('(') != std::string::npos) root = "seed";
    warn("W0502", expression.range, fmt::format("`{}` and `{}` have the same seed", first->second->name, instance->name),
         {fmt::format("write `seed = derive({}, {})`", root, fmt::join(family.variables, ", "))});
    return;
  }
}

}  // namespace bgw::semantics
