#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/schema/value.h"

// What the compiler knows about a block kind: its attributes with their types, and what it makes. One table (the
// Catalog) feeds the checker, the documentation and completion; the grammar knows no kind at all.
namespace bgw::schema {

enum class TypeKind {
  integer, number, boolean, string, word, seed, quantity,
  list,         // of items[0]
  interval,     // from a number to another, of the kind of items[0]: {"interval": [low, high]}
  reference,    // to an instance of one of `nouns`
  samples,      // configurations: an instance of one of `nouns`, or its result of type samples
  constructor,  // one of `nouns`, written as a call or, without arguments, as a bare name
  expression,   // over results of tasks, known only when the program runs
  any_of        // the first of `items` that fits
};

/// The type of an attribute.
struct Type {
  TypeKind kind = TypeKind::number;
  std::string dimension;            // of a quantity: "temperature", "density", …
  std::vector<std::string> words;   // of a word
  std::vector<std::string> nouns;   // of a reference, samples or constructor
  std::vector<Type> items;          // of a list or any_of
  std::map<std::string, std::string> aliases;  // word -> the word that means the same and has the same key
  std::vector<std::string> later;   // words and constructors of the language that this version cannot run yet

  static Type of(TypeKind kind) { Type t; t.kind = kind; return t; }
  static Type quantity(std::string dimension);
  static Type word(std::vector<std::string> words, std::vector<std::string> later = {});
  static Type list(Type item);
  static Type interval(Type ends);
  static Type reference(std::vector<std::string> nouns);
  static Type samples(std::vector<std::string> nouns);
  static Type constructor(std::vector<std::string> names, std::vector<std::string> later = {});
  static Type any_of(std::vector<Type> alternatives);

  /// "a temperature", "one of fcc, bcc", "an int or none": for messages.
  std::string describe() const;
};

/// Numbers an attribute accepts, in base units; both ends may be open.
struct Bounds {
  std::optional<double> least;      // inclusive
  std::optional<double> above;      // exclusive
  std::optional<double> most;       // inclusive
  bool holds(double value) const;
  std::string describe() const;     // "at least 1", "above 0"
};

struct Attribute {
  std::string name;
  Type type;
  std::string doc;
  bool required = false;
  Value otherwise;                        // default; none when there is none
  std::vector<std::string> variants = {}; // values of the discriminator that have this attribute; empty: all
  Bounds bounds = {};
  std::string example = {};               // what to write, for messages: "0.0336 /angstrom^3"
  bool policy = false;                    // how a task runs, not what it computes: not in the key
  Value only = {};                        // not none: the one value that this version can run
  bool later = false;                     // a value other than the default cannot be run yet in this version
};

/// A block inside a block: `stage main { … }`, `checkpoint { … }`.
struct NestedSchema {
  std::string kind;
  std::string member;               // name of the argument that holds it: "stages"
  std::vector<Attribute> attributes;
  std::string doc;
  bool many = false;                // a list in the order of the program, each with its name
  bool required = false;
  bool policy = false;              // how it runs, not what it computes
};

enum class ResultType {
  number,
  numbers,                          // a list of them, its length known only when the program runs
  samples,
  curve,
  field                             // a word or number over a plane, as the stable phase over T and P
};
struct Result {
  std::string name;                 // may have parts: "coexistence.pressure"
  ResultType type = ResultType::number;
  std::string dimension;            // "" is dimensionless
  std::string doc;
  std::vector<Attribute> arguments = {};  // of a result that is called: `pt.gibbs(phase, temperature = 600 K)`
};

/// Complains about a resolved block; the compiler finds the place of the attribute.
struct Complaint {
  std::string id;
  std::string attribute;            // "" is the block's name; in a nested block "stage.main.temperature"
  std::string message;
  std::vector<std::string> notes;
  std::vector<std::string> helps;
  bool warning = false;
};

/// A task that a resolved block reads.
struct UpstreamTask {
  std::string noun;
  std::string name;
  const Map* arguments = nullptr;
};

/// What a domain check sees and says.
struct CheckContext {
  std::string block;                                                   // "lattice `ice`"
  std::function<void(Complaint)> complain;
  /// Notes what of the block this version cannot run yet: "`ensemble.kind = npt` of a base".
  std::function<void(std::string what)> not_yet;
  /// A number in base units as the author would write it: `shown(15.2, "length")` is "15.2 angstrom", or "6.4 lj".
  std::function<std::string(double value, const char* dimension)> shown;
  /// The bytes of the file that `attribute` names, its path seen from the program text in which it stands; nullopt when
  /// it cannot be read, `problem` then says why. What is read becomes part of the record of the program.
  std::function<std::optional<std::string>(const std::string& path, const std::string& attribute, std::string& problem)> read_file;
  /// SHA-256 of such a file, 64 hexadecimal digits, for files that the compiler does not look into, of any size. The task
  /// finds the file under the attribute's name in `presentation.files`.
  std::function<std::optional<std::string>(const std::string& path, const std::string& attribute, std::string& problem)> hash_file;
  std::function<UpstreamTask(const Value& task)> upstream;  // of a map {"task": name}
};

enum class Makes { value, task, inline_task, check, policy };

struct KindSchema {
  std::string noun;
  int version = 1;
  Makes makes = Makes::value;
  std::string doc;
  std::string discriminator;        // attribute that chooses among variants: "style"; "" when there is none
  std::vector<Attribute> attributes;
  std::vector<NestedSchema> nested = {};
  std::vector<Result> results = {};
  /// By which `.at(…)` picks one state of results on a grid, `F.at(temperature = 600 K).per_particle`.
  std::vector<Attribute> coordinates = {};
  /// Results that a block on a grid has as a whole; its others are of a state and need `.at(…)`.
  std::vector<std::string> of_whole_grid = {};
  /// Completes the resolved arguments (derived defaults) and checks what types cannot say.
  std::function<void(Map&, CheckContext&)> complete = {};
  bool indexed_as_rows = false;     // the index set of the block makes rows of one task
  bool later = false;               // part of the language that this version cannot run yet

  const Attribute* find_attribute(const std::string& name) const;
  const NestedSchema* find_nested(const std::string& kind) const;
  const Result* find_result(const std::string& name) const;
};

struct ConstructorSchema {
  std::string name;
  std::vector<Attribute> arguments;  // in the order in which they may stand without a name
  std::string doc;
  bool later = false;                // part of the language that this version cannot run yet
  int version = 1;                   // raised when the numbers of what it chooses change, where those of the kind's other choices do not
};

}  // namespace bgw::schema
