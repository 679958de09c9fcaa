#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace bgw::schema {

class Value;
using List = std::vector<Value>;
using Map = std::map<std::string, Value>;  // sorted by name: one content has one text

/// A resolved value of a program: what a task receives and what its key is made of.
///
/// Quantities are binary64 numbers in base units (angstrom, eV, K, fs and their products); an absent optional
/// is `none`. Constructors are maps {"call": name, ...arguments}. A place where the result of another task
/// enters is the map {"task": role} or {"task": role, "attribute": name}; the role is found among the inputs
/// of the task (plan/plan.h).
///
/// Lists and maps never change and are shared: a copy costs nothing, however large the value.
class Value {
 public:
  Value() = default;  // none
  Value(std::nullptr_t) {}
  Value(bool v) : data_(v) {}
  Value(int v) : data_(static_cast<std::int64_t>(v)) {}
  Value(std::int64_t v) : data_(v) {}
  Value(double v) : data_(v) {}
  Value(const char* v) : data_(std::string(v)) {}
  Value(std::string v) : data_(std::move(v)) {}
  Value(List v) : data_(std::make_shared<const List>(std::move(v))) {}
  Value(Map v) : data_(std::make_shared<const Map>(std::move(v))) {}

  bool is_none() const { return std::holds_alternative<std::monostate>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_int() const { return std::holds_alternative<std::int64_t>(data_); }
  bool is_double() const { return std::holds_alternative<double>(data_); }
  bool is_number() const { return is_int() || is_double(); }
  bool is_string() const { return std::holds_alternative<std::string>(data_); }
  bool is_list() const { return std::holds_alternative<SharedList>(data_); }
  bool is_map() const { return std::holds_alternative<SharedMap>(data_); }

  /// Typed access; throws foundation-free std::logic_error naming the type found when it is another one.
  bool as_bool() const;
  std::int64_t as_int() const;
  double as_double() const;  // an int is accepted
  const std::string& as_string() const;
  const List& as_list() const;
  const Map& as_map() const;

  /// Member of a map: throws std::logic_error when this is no map or has no such member.
  const Value& at(std::string_view name) const;
  /// Member of a map, or nullptr.
  const Value* find(std::string_view name) const;
  /// True when the member exists and is not none.
  bool has(std::string_view name) const;
  /// The member as a T, or `otherwise` when it is absent or none.
  double number_or(std::string_view name, double otherwise) const;
  std::int64_t int_or(std::string_view name, std::int64_t otherwise) const;
  bool bool_or(std::string_view name, bool otherwise) const;
  std::string string_or(std::string_view name, std::string_view otherwise) const;

  bool operator==(const Value& other) const;

  /// The same for all copies of one list or map, nullptr for other values.
  const void* identity() const;

 private:
  using SharedList = std::shared_ptr<const List>;
  using SharedMap = std::shared_ptr<const Map>;
  const char* type_name() const;
  template <class T> const T& get(const char* wanted) const;

  std::variant<std::monostate, bool, std::int64_t, double, std::string, SharedList, SharedMap> data_;
};

/// Canonical JSON: members sorted, no spaces, integers as digits, doubles as the shortest text that reads back
/// to the same binary64 and always with a point or an exponent (so that 60 and 60.0 differ). Not finite: throws.
std::string to_json(const Value& value);
/// Texts of lists and maps by Value::identity(); these must live as long as it is used.
using JsonTexts = std::unordered_map<const void*, std::string>;
/// Appends the same text; of lists and maps that are known, the known one.
void append_json(std::string& text, const Value& value, JsonTexts& known);
/// Makes the text of a list or map known.
const std::string& remember_json(const Value& value, JsonTexts& known);
/// The same with line breaks and two spaces of indentation, for people.
std::string to_pretty_json(const Value& value);
/// Reads JSON; throws std::runtime_error with the byte offset when the text is not JSON.
Value parse_json(std::string_view text);

}  // namespace bgw::schema
