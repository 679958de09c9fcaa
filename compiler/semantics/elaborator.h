#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>

#include "compiler/semantics/analyze.h"
#include "compiler/semantics/evaluated.h"

// The working state of analyze(): names are looked up and instances resolved on demand, each once, so the order of a
// program does not matter and cycles are seen as a name that needs itself.
namespace bgw::semantics {

using schema::Value;
using source::SourceRange;

struct Local {
  Evaluated value;
  std::string axis;  // of an index variable
};

/// Names that hold within a block, a function or a comprehension.
struct Scope {
  const Scope* parent = nullptr;
  std::map<std::string, Local> locals;
  bool run_time = false;  // results of tasks may be used

  const Local* find(const std::string& name) const;
};

/// A top-level param, let, fn or axis.
struct Declaration {
  const syntax::Item* item = nullptr;
  enum class State { fresh, running, done } state = State::fresh;
  Evaluated value;
  bool used = false;
};

/// The values of an axis with what finds them: a family of thousands looks up each of its members.
struct AxisTable {
  const std::vector<Evaluated>* values = nullptr;
  std::map<std::string, std::size_t> positions;  // by index_text, which no two values share
  std::vector<std::string> words;
};

/// Most members of a family, and of all families together.
inline constexpr std::size_t kMostInstances = 200'000;

struct Family {
  const syntax::Block* block = nullptr;
  const schema::KindSchema* kind = nullptr;
  std::vector<std::string> axes, variables;
  bool good = true;
  bool started = false, finished = false;
  std::map<std::vector<std::size_t>, Instance*> instances;  // by position in each axis
  std::set<const Instance*> running;
};

/// Where a value stands, for messages: "`ensemble.temperature`".
struct Site {
  std::string path;
  SourceRange range;
  const schema::Attribute* attribute = nullptr;
};

class Elaborator {
 public:
  Elaborator(const syntax::File& file, const source::SourceMap& text, const schema::Catalog& catalog,
             const Overrides& overrides, source::DiagnosticSink& sink);
  std::unique_ptr<const Model> run();

 private:
  // declarations.cpp
  void collect();
  bool claim_name(const syntax::Name& name, const char* what, const std::string& noun);
  void collect_block(const syntax::Block& block);
  Evaluated value_of(Declaration& declaration);
  Evaluated evaluate_param(const syntax::Param& param);
  Evaluated evaluate_axis(const syntax::Axis& axis);
  Evaluated typed(const syntax::TypeName& type, const syntax::Expression& expression, const std::string& path, Scope& scope);
  std::optional<schema::Type> type_named(const syntax::TypeName& type);
  Evaluated overridden(const syntax::Param& param, const schema::Type& type, const std::string& text);
  bool inside_domain(const syntax::Param& param, const Evaluated& value, const std::string& shown, SourceRange place);
  const std::vector<Evaluated>* axis_values(const std::string& axis);
  const AxisTable* axis_table(const std::string& axis);
  std::optional<std::string> param_of_type(const std::string& written) const;
  void check_overrides();
  void resolve_targets();
  void resolve_requires();
  void warn_unused();

  // expressions.cpp
  Evaluated evaluate(const syntax::Expression& expression, const Scope& scope, const std::vector<std::string>* words = nullptr);
  bool affords(std::size_t work, SourceRange range);
  Evaluated evaluate_any(const syntax::Expression& expression, const Scope& scope, const std::vector<std::string>* words);
  Evaluated number(const syntax::NumberLiteral& literal, SourceRange range);
  Evaluated unary(const syntax::Unary& unary, const Scope& scope, SourceRange range);
  Evaluated binary(const syntax::Binary& binary, const Scope& scope, SourceRange range);
  Evaluated arithmetic(const syntax::Binary& binary, const Evaluated& left, const Evaluated& right, SourceRange range);
  Evaluated compared(const syntax::Binary& binary, const Evaluated& left, const Evaluated& right, SourceRange range);
  Evaluated run_time_operation(const syntax::Binary& binary, const Evaluated& left, const Evaluated& right, SourceRange range);
  Evaluated range_of(const syntax::RangeExpression& range, const Scope& scope, SourceRange place);
  Evaluated comprehension(const syntax::Comprehension& comprehension, const Scope& scope, SourceRange range);
  Evaluated conditional(const syntax::Conditional& conditional, const Scope& scope, SourceRange range, const std::vector<std::string>* words);
  std::optional<bool> truth(const syntax::Expression& expression, const Scope& scope);

  // references.cpp
  Evaluated reference(const syntax::Reference& reference, const Scope& scope, SourceRange range, const std::vector<std::string>* words);
  Evaluated named_value(const syntax::Reference& reference, const Scope& scope, std::size_t& next, SourceRange range);
  Evaluated family_value(const std::string& name, const syntax::Name& at, const std::vector<Family*>& families,
                         const syntax::Reference& reference, std::size_t& next, const Scope& scope);
  std::vector<const Instance*> select(Family& family, const syntax::IndexTrailer* index, const Scope& scope,
                                      SourceRange range, bool& sliced, bool& wrong);
  Evaluated member(const Evaluated& of, const syntax::Name& name, SourceRange range);
  Evaluated element(const Evaluated& of, const syntax::IndexTrailer& index, const Scope& scope, SourceRange range);
  void undefined(const syntax::Name& name, const Scope& scope);

  // functions.cpp
  Evaluated call(const syntax::Reference& reference, const syntax::CallTrailer& call, const Scope& scope, SourceRange range);
  Evaluated user_function(Declaration& declaration, const syntax::Function& function, const std::vector<Evaluated>& arguments, SourceRange range);
  Evaluated derive(const std::vector<Evaluated>& arguments, SourceRange range);
  Evaluated neighbour_on_axis(const std::string& name, const syntax::CallTrailer& call, const Scope& scope, SourceRange range);
  Evaluated spaced(const std::string& name, const std::vector<Evaluated>& arguments, SourceRange range);
  Evaluated folded(const std::string& name, std::vector<Evaluated> arguments, SourceRange range);
  Evaluated run_time_call(const std::string& name, const std::vector<Evaluated>& arguments, bool one_list, SourceRange range);
  Evaluated task_from_call(const schema::KindSchema& kind, const syntax::CallTrailer& call, const Scope& scope, SourceRange range);

  // conversion.cpp
  std::optional<Value> resolve(const syntax::Expression& expression, const schema::Type& type, const Site& site, const Scope& scope);
  std::optional<Value> convert(const Evaluated& value, const schema::Type& type, const Site& site, bool quiet);
  std::optional<Value> convert_number(const Evaluated& value, const schema::Type& type, const Site& site, bool quiet);
  std::optional<Value> convert_reference(const Evaluated& value, const schema::Type& type, const Site& site, bool quiet);
  std::optional<Value> convert_expression(const Evaluated& value, const Site& site);
  std::optional<Value> construct(const syntax::Expression& expression, const schema::ConstructorSchema& schema, const Site& site, const Scope& scope);
  void mismatch(const Evaluated& value, const schema::Type& type, const Site& site);
  bool within_bounds(const Value& value, const Site& site, SourceRange origin);
  void note_use(const Instance& used);

  // blocks.cpp
  Instance* instance_at(Family& family, const std::vector<std::size_t>& position);
  void resolve_instance(Family& family, Instance& instance, Scope& scope);
  void resolve_members(const syntax::Body& body, const std::vector<schema::Attribute>& attributes, const std::string& discriminator,
                       const std::string& owner, const std::string& title, SourceRange where, Scope& scope, schema::Map& into,
                       std::map<std::string, SourceRange>& places, const schema::KindSchema* kind);
  void resolve_nested(const syntax::Body& body, const schema::KindSchema& kind, Instance& instance, Scope& scope);
  void resolve_table(Family& family, Instance& instance);
  void run_domain_check(Instance& instance, const std::map<std::string, SourceRange>& places);
  void check_units_mixed(Instance& instance);
  void resolve_all();
  Instance& add_instance(const schema::KindSchema& kind, const std::string& block, SourceRange range);

  // errors
  Evaluated error(const std::string& id, SourceRange range, std::string message, std::vector<std::string> helps = {},
                  std::vector<std::string> notes = {}, std::string label = {}, std::vector<source::Label> others = {});
  void warn(const std::string& id, SourceRange range, std::string message, std::vector<std::string> helps);
  std::string shown(SourceRange range) const { return std::string(text_.text(range)); }
  std::vector<std::string> did_you_mean(const std::string& name, const std::vector<std::string>& candidates) const;
  Evaluated poison() const { return {Poison{}, {}}; }

  const syntax::File& file_;
  const source::SourceMap& text_;
  const Overrides& overrides_;
  source::DiagnosticSink& sink_;
  std::unique_ptr<Model> model_;
  const schema::Catalog& catalog_;
  std::map<std::string, Declaration> declarations_;
  std::map<std::string, std::vector<Family*>> families_by_name_;
  std::deque<Family> families_;
  std::map<std::string, Instance*> by_full_name_;
  Instance* current_ = nullptr;   // the instance being resolved
  std::vector<std::string> chain_;  // what is being resolved, for cycles
  std::map<std::string, SourceRange> origins_;  // path of an attribute -> where its value comes from
  std::map<std::string, AxisTable> axis_tables_;
  int depth_ = 0;
  std::size_t work_ = 0;          // evaluations and copied items so far
  std::size_t most_work_ = 2'000'000;  // and 300 for each block: seconds of time, a few hundred MB
  std::size_t errors_ = 0;
};

}  // namespace bgw::semantics
