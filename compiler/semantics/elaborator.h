#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>

#include "compiler/semantics/analyze.h"
#include "compiler/semantics/evaluated.h"

// The working state of analyze(): names are looked up and instances resolved on demand, each once, so the order of a
// program does not matter and cycles are seen as a name that needs itself.
namespace bgw::semantics {

using schema::Value;
using source::SourceRange;

struct Module;
struct Family;
struct AxisTable;

struct Local {
  std::string_view name;
  Evaluated value;
  std::string_view axis = {};  // of an index variable
  std::size_t position = 0;    // along it
  const AxisTable* table = nullptr;
};

/// Names that hold within a block, a function or a comprehension; the outermost knows its file.
struct Scope {
  const Scope* parent = nullptr;
  Module* module = nullptr;
  std::vector<Local> locals = {};
  bool run_time = false;  // results of tasks may be used

  static Scope inside(const Scope& outer) { return {&outer, outer.module, {}, outer.run_time}; }
  const Local* find(std::string_view name) const;
};

/// A top-level param, let, fn or axis.
struct Declaration {
  const syntax::Item* item = nullptr;
  Module* module = nullptr;
  enum class State { fresh, running, done } state = State::fresh;
  Evaluated value;
  bool used = false;
};

/// The values of an axis with what finds them: a family of thousands looks up each of its members.
struct AxisTable {
  std::vector<Evaluated> values;
  std::vector<std::string> texts;                            // index_text of each
  std::unordered_map<std::string, std::size_t> positions;    // by that text, which no two values share
  std::vector<std::string> words;
};

/// Most members of a family, and of all families together.
inline constexpr std::size_t kMostInstances = 200'000;

/// What an attribute is worth, with what comes along with it.
struct Resolved {
  std::optional<Value> value;
  Traits traits;
  SourceRange origin;  // where it comes from: an entry of an axis, the default of a param
};

/// A body that takes part in a block: its own, and those it extends.
struct Layer {
  const syntax::Body* body = nullptr;
  std::size_t scope = 0;                 // index among the scopes of the instance
  std::set<std::string_view> varying;    // names that differ from member to member
};

/// An attribute as it stands in one of the layers; a value that no index enters is resolved once for the family.
struct Written {
  const syntax::Attribute* attribute = nullptr;
  std::size_t layer = 0;
  bool varies = false;
  std::optional<Resolved> kept;
};

/// The attributes of a body against a schema, worked out once for all members of a family.
struct MembersPlan {
  std::vector<Layer> layers;             // the author's own first
  std::vector<std::pair<std::size_t, const syntax::Member*>> statements;  // lets and requires with their layer
  std::map<std::string, Written, std::less<>> written;
  struct Slot {
    const schema::Attribute* attribute;
    Written* written;                    // null: takes its default
  };
  struct Layout {
    std::vector<Slot> slots;
    bool good = true;
  };
  std::map<std::string, Layout, std::less<>> layouts;  // by the value of the discriminator
};

/// A block inside a block of a family.
struct NestedPlan {
  const schema::NestedSchema* schema = nullptr;
  const syntax::NestedBlock* block = nullptr;
  MembersPlan members;
  std::vector<const AxisTable*> axes;
  std::string name, title;
  SourceRange where;
  bool varies = false;
  std::optional<Resolved> kept;
  bool ever = false;                     // `when` held for some member
};

struct Family {
  const syntax::Block* block = nullptr;
  const schema::KindSchema* kind = nullptr;
  Module* module = nullptr;
  std::string name;                      // with the prefix of its file
  std::vector<std::string> axes, variables;
  std::shared_ptr<const std::vector<IndexName>> index_names;
  bool good = true, shaped = false, planned = false, used = false;
  std::vector<const AxisTable*> tables;
  std::vector<Instance*> instances;      // by position, the last axis fastest; null: not resolved yet
  std::set<const Instance*> running;
  MembersPlan members;
  std::vector<NestedPlan> nested;
  struct Base {                          // of `extends`, nearest first
    Family* family;
    std::vector<std::pair<std::string_view, const syntax::Expression*>> bindings;
  };
  std::vector<Base> bases;
};

struct Module {
  const SourceModule* source = nullptr;
  std::map<std::string, Declaration, std::less<>> declarations;
  std::map<std::string, std::vector<Family*>, std::less<>> families;
  std::map<std::string, Module*, std::less<>> imports;
  std::set<std::string> used_imports;
};

/// The candidate that is near, by a slip of the keys (`temprature`) or by its beginning (`diamond` of `diamond_cubic`); "" when none is.
std::string meant_by(const std::string& name, const std::vector<std::string>& candidates);

/// The unit that is meant by `Kelvin` or `Angstrom`; "" when none is.
std::string unit_meant(const std::string& name);

/// A block as it is named: by its name, with its kind or its import in front.
struct BlockPath {
  const syntax::Reference* reference = nullptr;
  Module* module = nullptr;
  std::string kind;            // "" when it is not said
  const syntax::Name* name = nullptr;
  std::size_t next = 0;        // the first trailer behind the name
  const syntax::IndexTrailer* index() const;
};

/// Where a value stands, for messages: "`ensemble.temperature`".
struct Site {
  std::string_view owner;
  SourceRange range;
  const schema::Attribute* attribute = nullptr;
  std::string_view name = {};  // without an attribute
  std::string path() const;
};

class Elaborator {
 public:
  Elaborator(const Modules& modules, const source::SourceMap& text, const schema::Catalog& catalog, const Overrides& overrides,
             source::DiagnosticSink& sink, const source::FileReader& read);
  std::unique_ptr<Model> run();

 private:
  // names.cpp: who is called what
  void collect(Module& module);
  bool claim_name(Module& module, const syntax::Name& name, const char* what, const std::string& noun);
  void collect_block(Module& module, const syntax::Block& block);
  void undefined(const syntax::Name& name, const Scope& scope, const std::vector<std::string>* words = nullptr);
  void missing_axis(Module& module, const syntax::Name& axis);
  void warn_hidden(const syntax::Name& name, Module& module, const char* what);
  void check_functions(Module& module);
  void warn_unused(Module& module);
  void collect_docs();

  // declarations.cpp: params, lets, axes
  Evaluated value_of(Declaration& declaration);
  Evaluated evaluate_axis(const syntax::Axis& axis, Module& module);
  Evaluated typed(const syntax::TypeName& type, const syntax::Expression& expression, std::string_view name, const Scope& scope);
  std::optional<schema::Type> type_named(const syntax::TypeName& type);
  const AxisTable* axis_table(Module& module, const std::string& axis);

  // params.cpp: params and what is given for them outside
  Evaluated evaluate_param(const syntax::Param& param, Module& module);
  Evaluated overridden(const syntax::Param& param, const schema::Type& type, const Override& given, const std::string& origin);
  bool inside_domain(const syntax::Param& param, Module& module, const Evaluated& value, const std::string& shown, SourceRange place);
  std::optional<std::string> param_of_type(const std::string& written);
  void check_overrides();
  std::map<std::string, const syntax::Item*> all_params();

  // targets.cpp
  void resolve_targets();
  void resolve_target(const syntax::Target& target);
  void add_wanted(const syntax::Expression& expression, TargetDeclaration& declaration);
  Family* wanted_family(const BlockPath& path);
  void resolve_requires();

  // expressions.cpp
  Evaluated evaluate(const syntax::Expression& expression, const Scope& scope, const std::vector<std::string>* words = nullptr);
  bool affords(std::size_t work, SourceRange range);
  Evaluated evaluate_any(const syntax::Expression& expression, const Scope& scope, const std::vector<std::string>* words);
  Evaluated number(const syntax::NumberLiteral& literal, SourceRange range, const Scope& scope);
  Evaluated unary(const syntax::Unary& unary, const Scope& scope, SourceRange range);
  Evaluated binary(const syntax::Binary& binary, const Scope& scope, SourceRange range);
  Evaluated arithmetic(const syntax::Binary& binary, const Evaluated& left, const Evaluated& right, SourceRange range);
  Evaluated compared(const syntax::Binary& binary, const Evaluated& left, const Evaluated& right, SourceRange range);
  Evaluated run_time_operation(const syntax::Binary& binary, const Evaluated& left, const Evaluated& right, SourceRange range);
  Evaluated range_of(const syntax::RangeExpression& range, const Scope& scope, SourceRange place);
  Evaluated comprehension(const syntax::Comprehension& comprehension, const Scope& scope, SourceRange range);
  Evaluated conditional(const syntax::Conditional& conditional, const Scope& scope, const std::vector<std::string>* words);
  std::optional<bool> truth(const syntax::Expression& expression, const Scope& scope);
  std::optional<Value> reduced_beside(const units::Quantity& number, const RunTime& result);
  std::vector<std::string> help_together(const syntax::Binary& part, const Evaluated& left, const Evaluated& right) const;
  Evaluated mixed_units(SourceRange range, const Evaluated& left, const Evaluated& right, const syntax::Binary& part);

  // references.cpp
  Evaluated reference(const syntax::Reference& reference, const Scope& scope, SourceRange range, const std::vector<std::string>* words);
  Evaluated named_value(const syntax::Reference& reference, const Scope& scope, std::size_t& next, SourceRange range, const std::vector<std::string>* words);
  Evaluated imported_value(Module& module, const syntax::Reference& reference, const Scope& scope, std::size_t& next, SourceRange range);
  Evaluated global_value(Module& module, const syntax::Name& name, const syntax::Reference& reference, const Scope& scope,
                         std::size_t& next, bool& found);
  Evaluated family_value(const syntax::Name& at, const std::vector<Family*>& families, const syntax::Reference& reference,
                         std::size_t& next, const Scope& scope);
  Evaluated element(const Evaluated& of, const syntax::IndexTrailer& index, const Scope& scope, SourceRange range);
  BlockPath block_path(Module& module, const syntax::Reference& reference);
  std::vector<Family*> families_named(Module& module, const std::string& kind, const std::string& name);
  std::string member_of(const Family& family, const Scope& scope) const;

  // selection.cpp
  std::vector<const Instance*> select(Family& family, const syntax::IndexTrailer* index, const Scope& scope, SourceRange range,
                                      bool& sliced, bool& wrong, bool* none = nullptr);
  std::optional<std::size_t> position_on(const Family& family, std::size_t at, const Evaluated& wanted, SourceRange range);
  bool positions_of(Family& family, const syntax::IndexArgument& argument, std::size_t at, const Scope& scope,
                    std::vector<std::size_t>& positions, bool* none);

  // results.cpp
  Evaluated member(const Evaluated& of, const syntax::Name& name, SourceRange range);
  Evaluated result_of(const InstanceValue& of, const syntax::Name& name, SourceRange range);
  Evaluated called_result(const InstanceValue& of, const syntax::Name& name, const syntax::CallTrailer& call, const Scope& scope, SourceRange range);
  Evaluated state_of_results(const InstanceValue& of, const syntax::CallTrailer& call, const Scope& scope, SourceRange range);
  bool state_given_where_needed(const InstanceValue& of, const std::string& result, SourceRange range);
  bool on_grid(const Instance& of, schema::Map& state, SourceRange range);
  bool lacks_mass(const Instance& estimate);
  static bool lacks_stress(const Instance& instance);
  Evaluated kept_of_no_state(const InstanceValue& of, const std::string& result, SourceRange range);
  static bool on_a_grid(const Instance& of);
  Evaluated make_result(const InstanceValue& of, const schema::Result& result, schema::Map arguments, SourceRange range);

  // functions.cpp
  Evaluated call(Module& module, const syntax::Name& name, const syntax::CallTrailer& call, const Scope& scope, SourceRange range);
  Evaluated user_function(Declaration& declaration, const syntax::Function& function, const std::vector<Evaluated>& arguments, SourceRange range);
  Evaluated derive(const std::vector<Evaluated>& arguments, SourceRange range);
  Evaluated neighbour_on_axis(const std::string& name, const syntax::CallTrailer& call, const Scope& scope, SourceRange range);
  Evaluated spaced(const std::string& name, const std::vector<Evaluated>& arguments, SourceRange range);
  Evaluated folded(const std::string& name, std::vector<Evaluated> arguments, SourceRange range);
  Evaluated crossing(const std::vector<Evaluated>& arguments, SourceRange range);
  Evaluated list_of_numbers(const Evaluated& list, const std::string& function, SourceRange range, const std::vector<std::string>& usage);
  Evaluated run_time_call(const std::string& name, const std::vector<Evaluated>& arguments, bool one_list, SourceRange range);
  Evaluated result_of_call(const Instance& instance, SourceRange range);
  std::optional<schema::Map> arguments_of_call(const schema::KindSchema& kind, const syntax::CallTrailer& called, const Scope& scope, SourceRange range, Traits& traits);
  Evaluated task_from_call(const schema::KindSchema& kind, const syntax::CallTrailer& call, const Scope& scope, SourceRange range);

  // fit.cpp, states.cpp
  Evaluated fit(const syntax::CallTrailer& call, const Scope& scope, SourceRange range);
  Evaluated at_state(const syntax::CallTrailer& call, const Scope& scope, SourceRange range);
  bool check_changed_parts(const Instance& instance, const std::vector<std::pair<std::string, Value>>& changes, schema::Map& arguments);
  Evaluated instance_at_state(const Instance& of, const std::vector<std::pair<std::string, Value>>& changes, const Traits& traits, SourceRange range);

  // conversion.cpp
  std::optional<Value> resolve(const syntax::Expression& expression, const schema::Type& type, const Site& site, const Scope& scope);
  std::optional<Value> convert(const Evaluated& value, const schema::Type& type, const Site& site, bool quiet);
  std::optional<Value> convert_word(const Evaluated& value, const schema::Type& type, const Site& site, bool quiet);
  std::optional<Value> convert_list(const Evaluated& value, const schema::Type& type, const Site& site, bool quiet);
  std::optional<Value> convert_interval(const Evaluated& value, const schema::Type& type, const Site& site, bool quiet);
  std::optional<Value> convert_any(const Evaluated& value, const schema::Type& type, const Site& site, bool quiet);
  std::optional<Value> convert_number(const Evaluated& value, const schema::Type& type, const Site& site, bool quiet);
  std::optional<Value> convert_reference(const Evaluated& value, const schema::Type& type, const Site& site, bool quiet);
  std::optional<Value> convert_expression(const Evaluated& value, const Site& site, bool quiet);
  std::optional<Value> construct(const std::string& name, const std::vector<syntax::CallArgument>& arguments, SourceRange range,
                                 const schema::ConstructorSchema& schema, const Site& site, const Scope& scope);
  void mismatch(const Evaluated& value, const schema::Type& type, const Site& site);
  void wrong_unit(const Evaluated& value, const units::Quantity& quantity, const schema::Type& type, const Site& site);
  bool within_bounds(const Value& value, const Site& site, SourceRange origin);
  void note_use(const Instance& used);
  void note_later(std::string what);

  // instances.cpp
  Instance* instance_at(Family& family, std::size_t position, std::optional<SourceRange> asked_at = {});
  void enter_bases(const Family& family, std::vector<Scope>& scopes);
  void resolve_instance(Family& family, Instance& instance, std::vector<Scope>& scopes);
  void note_written_units(Family& family, Instance& instance, const Scope& scope, const schema::Map& arguments);
  void check_expectation(Family& family, Instance& instance, const std::vector<Scope>& scopes, schema::Map& arguments);
  std::optional<std::string> read_file(const std::string& path, SourceRange stands, std::string& problem);
  std::optional<std::string> hash_file(const std::string& seen, std::string& problem);
  bool run_domain_check(Instance& instance, schema::Map& arguments, Family* family);
  bool check_asked(const Instance& of, const schema::Result& result, const schema::Map& asked, const std::vector<syntax::CallArgument>& written, SourceRange range);
  schema::UpstreamTask upstream_of(const Value& task);
  void resolve_all();
  bool find_axes(Family& family, std::size_t& total);
  Instance& add_instance(const schema::KindSchema& kind, const std::string& block, SourceRange range);
  void warn_same_seed(Family& family);

  // extends.cpp
  void shape_family(Family& family);
  void plan_bases(Family& family);
  Family* base_at(Family& family, const BlockPath& path);
  std::optional<Family::Base> bound_base(Family& base, const BlockPath& path, SourceRange range);

  // members.cpp
  void plan_family(Family& family);
  void plan_members(MembersPlan& plan, const std::string& title);
  void resolve_members(MembersPlan& plan, const std::vector<schema::Attribute>& attributes, const std::string& discriminator,
                       const std::string& owner, const std::string& title, SourceRange where, std::vector<Scope>& scopes,
                       schema::Map& into, const schema::KindSchema* kind);
  MembersPlan::Layout& layout_of(MembersPlan& plan, const std::string& variant, const std::vector<schema::Attribute>& attributes,
                                 const std::string& discriminator, const std::string& title, SourceRange where,
                                 const schema::KindSchema* kind);
  bool resolve_slot(const MembersPlan::Slot& slot, const std::string& owner, std::vector<Scope>& scopes, schema::Map& into);
  void run_statements(MembersPlan& plan, std::vector<Scope>& scopes);

  // nested.cpp
  void plan_nested(Family& family);
  bool plan_nested_block(Family& family, const schema::NestedSchema& schema, const std::vector<std::pair<std::size_t, const syntax::NestedBlock*>>& blocks);
  void resolve_nested(Family& family, Instance& instance, std::vector<Scope>& scopes, schema::Map& arguments, schema::Map& policy);
  void resolve_copies(NestedPlan& plan, std::vector<Scope>& scopes, schema::List& into);
  void check_column_unit(NestedPlan& plan, const std::vector<Scope>& scopes, const schema::Map& column);
  void resolve_rows(Family& family, Instance& instance, schema::Map& arguments, schema::Map& policy);
  void warn_unreachable_stages();

  // reduced.cpp
  void bind_reduced(Instance& instance, schema::Map& arguments);
  bool bind_to_scale(const Instance& of, const Traits& given, Value& arguments, SourceRange range);
  std::optional<Value> construct_on(const Instance& of, const std::vector<syntax::CallArgument>& arguments, SourceRange range,
                                    const schema::ConstructorSchema& constructor, const Scope& scope);
  void note_scale(Instance& instance, const schema::Map& arguments);

  // errors
  Evaluated error(const std::string& id, SourceRange range, std::string message, std::vector<std::string> helps = {},
                  std::vector<std::string> notes = {}, std::string label = {}, std::vector<source::Label> others = {});
  void warn(const std::string& id, SourceRange range, std::string message, std::vector<std::string> helps);
  std::string shown(SourceRange range) const { return std::string(text_.text(range)); }
  /// The candidate that is near; without one what else may help.
  std::vector<std::string> did_you_mean(const std::string& name, const std::vector<std::string>& candidates, const std::string& otherwise = {}) const;
  Evaluated poison() const { return {Poison{}, {}}; }
  Instance* find_task(const Value& task);
  Module& main() { return modules_.front(); }

  const source::SourceMap& text_;
  const Overrides& overrides_;
  source::DiagnosticSink& sink_;
  source::FileReader read_;
  bool from_disk_;  // and not by a reader of the caller
  std::unique_ptr<Model> model_;
  const schema::Catalog& catalog_;
  std::deque<Module> modules_;
  std::deque<Family> families_;
  std::map<std::string, Instance*> made_;  // by expressions: `rdf(draws)`, `at(phonons, …)`
  std::map<const syntax::Axis*, AxisTable> axis_tables_;
  Traits* traits_ = nullptr;           // of what is being resolved
  std::map<const Written*, SourceRange>* origins_ = nullptr;  // of the instance being resolved: where its attributes come from
  SourceRange last_origin_;            // of the value resolved last
  const schema::Type* asked_ = nullptr;  // of the attribute being resolved
  std::string place_;                  // within the arguments being made: "ensemble.temperature"
  std::vector<std::string> chain_;     // what is being resolved, for cycles
  std::set<std::string> told_;         // names that are nowhere defined, each told once
  int depth_ = 0;
  int instance_depth_ = 0;
  std::size_t work_ = 0;               // evaluations and items gone through so far
  std::size_t most_work_ = 2'000'000;  // and 300 for each block: seconds of time, a few hundred MB
  std::size_t errors_ = 0;
};

/// From epsilon = 1 eV, sigma = 1 angstrom and mass 1 to the scales of a potential.
double scale_factor(const Scale& scale, const units::Dimension& dimension);
/// True when one of the names stands in the expression.
bool mentions(const syntax::Expression& expression, const std::set<std::string_view>& names);
/// Every name that stands alone or in front in the expression; `bind` is given its comprehensions.
void each_reference(const syntax::Expression& expression, const std::function<void(const syntax::Reference&, SourceRange)>& visit,
                    const std::function<void(const syntax::Comprehension&)>& bind = {});

}  // namespace bgw::semantics
