#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "compiler/syntax/format_program.h"
#include "compiler/syntax/parse.h"
#include "compiler/units/unit_table.h"
#include "tests/compiler/compiled.h"
#include "tests/compiler/walk_ast.h"

// What a program says in another way has the same keys. A program is written anew in hundreds of ways, each a random
// combination of edits that change nothing; the draws are fixed, so a failure comes back.

using namespace bgw;
using schema::Attribute;
using tests::compile_text;
using tests::Files;

namespace {

const std::filesystem::path kSource = BGW_SOURCE_DIR;

/// A linear congruential generator (Knuth): the same ways of writing everywhere.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15U + 1) {}
  std::size_t below(std::size_t count) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::size_t>(state_ >> 33) % count;
  }
  bool one_in(std::size_t count) { return below(count) == 0; }
  template <class T> const T& of(const std::vector<T>& all) { return all[below(all.size())]; }
  template <class T> void shuffle(std::vector<T>& all) {
    for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[below(i)]);
  }

 private:
  std::uint64_t state_;
};

/// Every word, constructor, attribute value and kind of the language: names that stand for themselves somewhere.
const std::set<std::string>& words_of_language() {
  static const std::set<std::string> words = [] {
    std::set<std::string> all{"std", "program"};
    const std::function<void(const schema::Type&)> add_type = [&](const schema::Type& type) {
      all.insert(type.words.begin(), type.words.end());
      all.insert(type.later.begin(), type.later.end());
      for (const schema::Type& item : type.items) add_type(item);
    };
    const auto add_all = [&](const std::vector<Attribute>& attributes) {
      for (const Attribute& attribute : attributes) add_type(attribute.type);
    };
    for (const std::string& noun : tests::catalog().nouns()) {
      const schema::KindSchema& kind = *tests::catalog().find_kind(noun);
      all.insert(noun);
      add_all(kind.attributes);
      for (const auto& nested : kind.nested) add_all(nested.attributes);
      for (const auto& result : kind.results) add_all(result.arguments);
    }
    for (const std::string& name : tests::catalog().constructor_names()) {
      all.insert(name);
      add_all(tests::catalog().find_constructor(name)->arguments);
    }
    for (const std::string& unit : units::unit_names()) all.insert(unit);
    return all;
  }();
  return words;
}

struct Edit {
  std::size_t begin, end;
  std::string text;
};

/// Which edits one way of writing has.
struct Ways {
  bool rename = false, literals = false, units = false, defaults = false, inline_lets = false, extract_lets = false, move = false,
       templates = false, shuffle = false, layout = false;
};

class Rewriter {
 public:
  Rewriter(const std::string& text, Ways ways, Draws& draws) : source_("program.bgw", text), ways_(ways), draws_(draws) {
    source::DiagnosticSink sink;
    auto parsed = syntax::parse(source_, sink);
    if (!parsed) FAIL("the program cannot be parsed");
    file_ = std::move(*parsed);
  }

  /// The program in another way; files that it imports now are added.
  std::string rewrite(Files& files) {
    collect_names();
    if (ways_.rename) rename();
    if (ways_.literals) respell_numbers();
    if (ways_.inline_lets) inline_lets();
    choose_moved();
    std::vector<std::string> items;
    for (const syntax::Item& item : file_.items) {
      const auto* block = std::get_if<syntax::Block>(&item.what);
      const bool moved = block && moved_.count(block->name.text);
      const std::string text = block ? block_text(*block, moved) : text_of(item.range);
      (moved ? library_ : items).push_back(text);
    }
    items.insert(items.end(), lets_.begin(), lets_.end());
    if (!library_.empty()) {
      items.push_back("import \"moved.bgw\" as moved_here");
      files["moved.bgw"] = joined(library_);
    }
    if (!templates_.empty()) {
      items.push_back("import \"shared/templates.bgw\"");
      files["shared/templates.bgw"] = joined(templates_);
    }
    return joined(items);
  }

  bool renamed_an_index() const { return renamed_an_index_; }

 private:
  // ---------- text with edits ----------

  void edit(std::size_t begin, std::size_t end, std::string text) { edits_.push_back({begin, end, std::move(text)}); }

  /// The text of a range with the edits in it; of edits within each other the outermost counts.
  std::string text_of(source::SourceRange range) {
    std::vector<Edit> inside;
    for (const Edit& each : edits_) {
      if (each.begin >= range.begin && each.end <= range.end) inside.push_back(each);
    }
    std::sort(inside.begin(), inside.end(), [](const Edit& a, const Edit& b) { return a.begin != b.begin ? a.begin < b.begin : a.end > b.end; });
    std::string text;
    std::size_t at = range.begin;
    for (const Edit& each : inside) {
      if (each.begin < at) continue;
      text += std::string(source_.text({at, each.begin})) + each.text;
      at = each.end;
    }
    return text + std::string(source_.text({at, range.end}));
  }

  std::string joined(std::vector<std::string> items) {
    if (ways_.shuffle) draws_.shuffle(items);
    std::string text = ways_.layout && draws_.one_in(2) ? "# a program\n\nbgw 1\n" : "bgw 1\n";
    for (const std::string& item : items) text += (ways_.layout ? between() : "") + item + (ways_.layout && draws_.one_in(6) ? "; " : "\n");
    return text;
  }

  /// Blank lines and comments between two items.
  std::string between() {
    static const std::vector<std::string> kAll{"", "", "\n", "\n\n\t\n", "# a comment { with = signs; }\n", "## of what follows\n", "#\n"};
    return draws_.of(kAll);
  }

  // ---------- names ----------

  void collect_names() {
    for (const syntax::Item& item : file_.items) {
      std::visit([&](const auto& what) {
        using T = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<T, syntax::Import>) {
          if (what.as) names_[what.as->text].push_back(what.as->range);
        } else if constexpr (requires { what.name; } && !std::is_same_v<T, syntax::Target>) {
          names_[what.name.text].push_back(what.name.range);
        }
        if constexpr (std::is_same_v<T, syntax::Function>) {
          functions_.insert(what.name.text);
          for (const auto& argument : what.arguments) names_[argument.name.text].push_back(argument.name.range);
        }
        if constexpr (std::is_same_v<T, syntax::Block>) collect_indices(what);
      }, item.what);
    }
    tests::walk(file_, [&](const syntax::Expression& e) {
      if (const auto* part = std::get_if<syntax::Comprehension>(&e.what)) names_[part->variable.text].push_back(part->variable.range);
      if (const auto* text = std::get_if<syntax::StringLiteral>(&e.what)) strings_ += " " + text->value;
      const auto* reference = std::get_if<syntax::Reference>(&e.what);
      const auto* member = reference && !reference->trailers.empty() ? std::get_if<syntax::MemberTrailer>(&reference->trailers[0].what) : nullptr;
      if (member && tests::catalog().find_kind(reference->name.text)) qualified_.insert(member->name.text);
    });
  }

  void collect_indices(const syntax::Block& block) {
    const auto add = [&](const std::vector<syntax::IndexBinding>& bindings) {
      for (const auto& binding : bindings) {
        names_[binding.variable.text].push_back(binding.variable.range);
        names_[binding.axis.text].push_back(binding.axis.range);
        indices_.insert(binding.variable.text);
      }
    };
    add(block.indices);
    for (const syntax::Member& member : block.body.members) {
      if (const auto* nested = std::get_if<syntax::NestedBlock>(&member.what)) add(nested->indices);
    }
  }

  /// A call is one of a function of the program, or not a name of it at all.
  bool is_name(const syntax::Reference& reference) const {
    const bool call = !reference.trailers.empty() && std::holds_alternative<syntax::CallTrailer>(reference.trailers[0].what);
    return names_.count(reference.name.text) && (!call || functions_.count(reference.name.text));
  }

  void rename() {
    std::map<std::string, std::string> fresh;
    for (const auto& [name, places] : names_) {
      // The model of a fit names indices in a string.
      if (words_of_language().count(name) || qualified_.count(name) || strings_.find(name) != std::string::npos || draws_.one_in(4)) continue;
      fresh[name] = draws_.of(std::vector<std::string>{"z_" + name, name + "_2", "größe_" + name});
      renamed_an_index_ = renamed_an_index_ || indices_.count(name) != 0;
      for (const auto& place : places) edit(place.begin, place.end, fresh[name]);
    }
    tests::walk(file_, [&](const syntax::Expression& e) {
      const auto* reference = std::get_if<syntax::Reference>(&e.what);
      if (!reference) return;
      if (is_name(*reference) && fresh.count(reference->name.text)) edit(reference->name.range.begin, reference->name.range.end, fresh[reference->name.text]);
      for (const syntax::Trailer& trailer : reference->trailers) {
        const auto* index = std::get_if<syntax::IndexTrailer>(&trailer.what);
        if (!index) continue;
        for (const auto& argument : index->arguments) {
          if (argument.axis && fresh.count(argument.axis->text)) edit(argument.axis->range.begin, argument.axis->range.end, fresh[argument.axis->text]);
        }
      }
    });
    fresh_ = std::move(fresh);
  }

  std::string now(const std::string& name) const {
    const auto found = fresh_.find(name);
    return found == fresh_.end() ? name : found->second;
  }

  // ---------- numbers ----------

  void respell_numbers() {
    tests::walk(file_, [&](const syntax::Expression& e) {
      const auto* literal = std::get_if<syntax::NumberLiteral>(&e.what);
      if (!literal || draws_.one_in(3)) return;
      const std::size_t begin = e.range.begin, end = begin + literal->digits.size();
      const std::string digits = literal->digits;
      const bool exponent = digits.find_first_of("eE") != std::string::npos;
      if (exponent) edit(begin, end, draws_.one_in(2) ? digits.substr(0, digits.find_first_of("eE")) + "E" + digits.substr(digits.find_first_of("eE") + 1) : digits);
      else if (digits.find('.') != std::string::npos) edit(begin, end, digits + draws_.of(std::vector<std::string>{"0", "00", "_0", "e0"}));
      else if (literal->unit) edit(begin, end, digits + draws_.of(std::vector<std::string>{".0", ".00", "e0"}));
      else edit(begin, end, regrouped(digits));
      if (literal->unit && draws_.one_in(2)) edit(end, literal->unit->range.begin, draws_.of(std::vector<std::string>{"", "  ", "\t"}));
    });
  }

  std::string regrouped(std::string digits) {
    std::erase(digits, '_');
    if (digits.size() > 1 && draws_.one_in(2)) digits.insert(1 + draws_.below(digits.size() - 1), "_");
    return digits;
  }

  /// The number in a smaller unit, where both are the same binary number.
  void in_smaller_unit(const syntax::Expression& value) {
    static const std::map<std::string, std::pair<std::string, double>> kSmaller{
        {"K", {"mK", 1e3}}, {"ns", {"ps", 1e3}}, {"ps", {"fs", 1e3}}, {"min", {"s", 60}}, {"h", {"min", 60}}, {"GPa", {"MPa", 1e3}}, {"eV", {"meV", 1e3}}, {"GB", {"MB", 1e3}}, {"nm", {"angstrom", 10}}};
    const auto* literal = std::get_if<syntax::NumberLiteral>(&value.what);
    const auto smaller = literal && literal->unit ? kSmaller.find(literal->unit->text) : kSmaller.end();
    if (smaller == kSmaller.end()) return;
    const double factor = smaller->second.second, count = literal->value * factor;
    if (literal->value * units::find_unit(literal->unit->text)->value != count * units::find_unit(smaller->second.first)->value) return;
    edit(value.range.begin, value.range.end, fmt::format("{} {}", count, smaller->second.first));
  }

  // ---------- lets ----------

  void inline_lets() {
    for (const syntax::Item& item : file_.items) {
      const auto* let = std::get_if<syntax::Let>(&item.what);
      if (!let || let->type || draws_.one_in(3)) continue;
      tests::walk(file_, [&](const syntax::Expression& e) {
        const auto* reference = std::get_if<syntax::Reference>(&e.what);
        if (!reference || !reference->trailers.empty() || reference->name.text != let->name.text || draws_.one_in(3)) return;
        edit(e.range.begin, e.range.end, "(" + text_of(let->value->range) + ")");
      });
    }
  }

  bool mentions_a_name(const syntax::Expression& expression) const {
    bool found = false;
    tests::walk(expression, [&](const syntax::Expression& e) {
      const auto* reference = std::get_if<syntax::Reference>(&e.what);
      const bool qualified = reference && !reference->trailers.empty() && tests::catalog().find_kind(reference->name.text);  // `sample.ice`
      found = found || qualified || (reference && names_.count(reference->name.text));
    });
    return found;
  }

  /// True for arithmetic of numbers and units.
  static bool is_number(const syntax::Expression& expression) {
    if (std::holds_alternative<syntax::NumberLiteral>(expression.what)) return true;
    if (const auto* reference = std::get_if<syntax::Reference>(&expression.what)) return reference->trailers.empty() && units::find_unit(reference->name.text);
    if (const auto* part = std::get_if<syntax::Unary>(&expression.what)) return is_number(*part->operand);
    if (const auto* part = std::get_if<syntax::Binary>(&expression.what)) return is_number(*part->left) && is_number(*part->right);
    return false;
  }

  // ---------- blocks ----------

  /// Value blocks that need nothing of this file go into another.
  void choose_moved() {
    std::map<std::string, int> blocks;
    std::set<std::string> extended;
    for (const syntax::Item& item : file_.items) {
      const auto* block = std::get_if<syntax::Block>(&item.what);
      if (!block) continue;
      ++blocks[block->name.text];
      if (block->base) tests::walk(*block->base, [&](const syntax::Expression& e) { extended.insert(std::get<syntax::Reference>(e.what).name.text); });
    }
    for (const syntax::Item& item : file_.items) {
      const auto* block = std::get_if<syntax::Block>(&item.what);
      if (!ways_.move || !block || !block->indices.empty() || block->base || blocks[block->name.text] > 1 || extended.count(block->name.text) || draws_.one_in(3)) continue;
      const schema::KindSchema* kind = tests::catalog().find_kind(block->kind.text);
      bool alone = kind->makes == schema::Makes::value || kind->makes == schema::Makes::policy;
      tests::walk(block->body, [&](const syntax::Expression& e) { alone = alone && !mentions_a_name(e); });
      const bool word = words_of_language().count(block->name.text) != 0;
      if (alone && !word) moved_.insert(block->name.text);
    }
    tests::walk(file_, [&](const syntax::Expression& e) {
      const auto* reference = std::get_if<syntax::Reference>(&e.what);
      if (!reference || !moved_.count(reference->name.text)) return;
      std::erase_if(edits_, [&](const Edit& each) { return each.begin == reference->name.range.begin && each.end == reference->name.range.end; });
      edit(reference->name.range.begin, reference->name.range.end, "moved_here." + now(reference->name.text));
    });
  }

  std::string block_text(const syntax::Block& block, bool moved) {
    const schema::KindSchema& kind = *tests::catalog().find_kind(block.kind.text);
    std::string header = text_of({block.kind.range.begin, block.body.range.begin});
    while (!header.empty() && std::isspace(static_cast<unsigned char>(header.back()))) header.pop_back();
    std::vector<std::string> shared;
    std::string text = body_text(block.body, kind.attributes, &kind.nested, kind.discriminator, moved, block.base != nullptr, !block.base && !moved && ways_.templates ? &shared : nullptr);
    if (!shared.empty()) {
      templates_.push_back(block.kind.text + " t_" + block.name.text + " {\n" + fmt::format("{}", fmt::join(shared, "\n")) + "\n}");
      header += " extends templates.t_" + block.name.text;
    }
    return header + " " + text;
  }

  /// A body anew; attributes of the block that stand alone go into `shared` when it is given.
  std::string body_text(const syntax::Body& body, const std::vector<Attribute>& attributes, const std::vector<schema::NestedSchema>* nested,
                        const std::string& discriminator, bool moved, bool extends, std::vector<std::string>* shared) {
    std::vector<std::string> free, ordered;
    std::set<std::string> written;
    std::string variant;
    for (const syntax::Member& member : body.members) {
      if (const auto* attribute = std::get_if<syntax::Attribute>(&member.what)) {
        const std::string text = attribute_text(*attribute, attributes, moved || shared);
        const auto* word = std::get_if<syntax::Reference>(&attribute->value->what);
        if (attribute->name.text == discriminator && word) variant = word->name.text;
        written.insert(attribute->name.text);
        const bool alone = shared && !mentions_a_name(*attribute->value) && !draws_.one_in(3);
        (alone ? *shared : free).push_back(text);
      } else if (const auto* block = std::get_if<syntax::NestedBlock>(&member.what)) {
        const auto known = std::find_if(nested->begin(), nested->end(), [&](const auto& each) { return each.kind == block->kind.text; });
        ordered.push_back(text_of({block->kind.range.begin, block->body->range.begin}) + body_text(*block->body, known->attributes, nullptr, "", moved, extends, nullptr));
      } else {
        ordered.push_back(text_of(member.range));
      }
    }
    if (ways_.defaults && !extends) add_defaults(attributes, written, variant, free);
    return assembled(free, ordered);
  }

  std::string attribute_text(const syntax::Attribute& attribute, const std::vector<Attribute>& attributes, bool elsewhere) {
    const syntax::Expression& value = *attribute.value;
    if (ways_.units && !draws_.one_in(3)) in_smaller_unit(value);
    std::string text = text_of(value.range);
    if (const auto* word = std::get_if<syntax::Reference>(&value.what); word && word->trailers.empty() && ways_.literals) {
      for (const Attribute& each : attributes) {
        if (each.name != attribute.name.text) continue;
        for (const auto& [other, same] : each.type.aliases) {
          if (same == text || other == text) text = draws_.of(std::vector<std::string>{same, other});
        }
      }
    }
    // `method = bar` is a word, though bar is a unit.
    const bool number = is_number(value) && !std::holds_alternative<syntax::Reference>(value.what);
    if (ways_.extract_lets && !elsewhere && number && draws_.one_in(2)) {
      const std::string name = fmt::format("taken_out_{}", lets_.size());
      lets_.push_back("let " + name + " = " + text);
      text = name;
    }
    return attribute.name.text + (ways_.layout ? draws_.of(std::vector<std::string>{"=", " = ", "   =\t"}) : std::string(" = ")) + text;
  }

  /// Defaults that can be written: words, plain numbers, truths and lists of words.
  void add_defaults(const std::vector<Attribute>& attributes, const std::set<std::string>& written, const std::string& variant, std::vector<std::string>& into) {
    for (const Attribute& attribute : attributes) {
      const bool here = attribute.variants.empty() || std::find(attribute.variants.begin(), attribute.variants.end(), variant) != attribute.variants.end();
      if (attribute.required || written.count(attribute.name) || !here || draws_.one_in(3)) continue;
      const std::string text = default_text(attribute.type, attribute.otherwise);
      if (!text.empty()) into.push_back(attribute.name + " = " + text);
    }
  }

  static std::string default_text(const schema::Type& type, const schema::Value& value) {
    if (value.is_none()) return "none";
    if (value.is_bool() || value.is_int()) return schema::to_json(value);
    if (value.is_double()) return type.kind == schema::TypeKind::quantity ? "" : schema::to_json(value);
    if (value.is_string()) return type.kind == schema::TypeKind::string ? schema::to_json(value) : value.as_string();
    if (!value.is_list()) return "";
    std::vector<std::string> items;
    for (const schema::Value& item : value.as_list()) items.push_back(default_text(type.items[0], item));
    return fmt::format("[{}]", fmt::join(items, ", "));
  }

  /// Attributes in any order among what keeps its own.
  std::string assembled(std::vector<std::string>& free, const std::vector<std::string>& ordered) {
    if (ways_.shuffle) draws_.shuffle(free);
    std::vector<std::string> all = ordered;
    for (std::size_t i = 0; i < free.size(); ++i) all.insert(all.begin() + static_cast<std::ptrdiff_t>(ways_.shuffle ? draws_.below(all.size() + 1) : i), free[i]);
    const bool one_line = ways_.layout && draws_.one_in(2);
    std::string text = one_line ? "{ " : "{\n";
    for (std::size_t i = 0; i < all.size(); ++i) {
      text += (ways_.layout && !one_line ? between() : "") + all[i];
      if (one_line) text += i + 1 < all.size() ? "; " : " ";
      else text += ways_.layout && draws_.one_in(4) ? "   # said; }\n" : "\n";
    }
    return text + "}";
  }

  source::SourceFile source_;
  syntax::File file_;
  Ways ways_;
  Draws& draws_;
  std::vector<Edit> edits_;
  std::map<std::string, std::vector<source::SourceRange>> names_;  // of the program -> where they are declared
  std::map<std::string, std::string> fresh_;
  std::set<std::string> functions_, indices_, moved_, qualified_;  // qualified: `sample.ice` keeps its name
  std::string strings_;
  std::vector<std::string> lets_, library_, templates_;
  bool renamed_an_index_ = false;
};

std::multiset<std::string> keys(const lowering::Program& program, bool without_tables) {
  std::multiset<std::string> all;
  for (const plan::TaskSpec& task : program.plan.tasks) {
    if (!without_tables || task.kind != "table") all.insert(task.kind + " " + task.key.hex() + " " + task.stream_key.hex());
  }
  return all;
}

/// Writes a program in many ways.
void check_ways(const std::string& text, const Files& files, std::size_t count) {
  const lowering::Program before = tests::compile_right(text, files);
  for (std::size_t i = 0; i < count; ++i) {
    Draws draws(i + 1);
    Ways ways;
    bool* const all[] = {&ways.rename, &ways.literals, &ways.units, &ways.defaults, &ways.inline_lets, &ways.extract_lets, &ways.move, &ways.templates, &ways.shuffle, &ways.layout};
    for (std::size_t k = 0; k < 10; ++k) *all[k] = i < 10 ? k == i : draws.one_in(2);  // each by itself, then combinations
    Files now = files;
    Rewriter rewriter(text, ways, draws);
    const std::string rewritten = rewriter.rewrite(now);
    std::string others;
    for (const auto& [name, other] : now) others += "---- " + name + "\n" + other;
    INFO("way " << i << "\n" << rewritten << others);
    const auto after = compile_text(rewritten, now);
    INFO(after.said);
    REQUIRE(after.program);
    // The head of a table shows the names of its indices.
    const bool without_tables = rewriter.renamed_an_index();
    CHECK(keys(*after.program, without_tables) == keys(before, without_tables));
    if (i % 8 != 0) continue;
    const auto formatted = compile_text(syntax::format_program(source::SourceFile("program.bgw", rewritten)), now);
    INFO(formatted.said);
    REQUIRE(formatted.program);
    CHECK(keys(*formatted.program, without_tables) == keys(before, without_tables));
  }
}

std::string text_of_file(const std::string& path) { return tests::read_text(kSource / path); }

/// What the shipped programs do not use: extends within a file and of a family, lets and requires in blocks, maps,
/// comprehensions, kinds in front of names, indices by the name of their axis, neighbours, and equal work under two names.
const std::string kEverything =
    "bgw 1\nimport \"lib/mw.bgw\" as water\nparam T : temperature = 200 K\nparam long : bool = false\nparam quality : enum = \"draft\" in [\"draft\", \"paper\"]\n"
    "axis phase : lattice_kind = [diamond_cubic, ice_ih]\naxis size : int = [64, 216]\naxis rep : int = 1 .. 2\n"
    "let rho = { diamond_cubic: 0.0336 /angstrom^3, ice_ih: 0.0335 /angstrom^3 }\nlet sizes = [64, 216]\nlet warmer = T + 20 K\n"
    "fn samples(n: int, few: int) -> int = if n > 100 and not long then few else 2 * few\n"
    "lattice ice[p in phase, n in size] { kind = p; atoms = n; density = rho[p] }\n"
    "system both[p in phase, n in size] { let half = n / 2; require half > 10 else \"too small\"; potential = water.mw; lattice = lattice.ice[size = n, phase = p]; mass = 36.03 / 2 * 1 g/mol }\n"
    "ensemble cold { kind = nvt; temperature = T }\nensemble warm extends cold { temperature = warmer }\n"
    "base scha_modes[p in phase, n in size] { kind = scha; system = both[p, n]; ensemble = cold; samples = samples(n, 100) }\n"
    "base warm_modes[p in phase, n in size] extends scha_modes[p, n] { ensemble = warm }\n"
    "base ice { kind = phonon; system = both[ice_ih, sizes[1]]; ensemble = cold }\n"
    "flow ours { type = mode_split; splits = len([s for s in sizes if s < 100]) + 7 }\n"
    "train first[p in phase, r in rep] {\n  system = both[p, 64]; ensemble = cold; base = scha_modes[p, 64]; flow = ours; seed = derive(1, p, r)\n"
    "  stage rough { when = first(r) or quality == \"paper\"; loss = reverse_kl; steps = 10; learning_rate = cosine(peak = 3e-2) }\n"
    "  stage main { loss = reverse_kl(total); steps = 20 * r; batch = 4 + 4 }\n  checkpoint { every = 2 min } }\n"
    "train again[p in phase, r in rep] extends first[p, r] { seed = derive(2, p, r); checkpoint { keep = 5 }; retry { attempts = 2 } }\n"
    "train chained[n in size] { system = both[ice_ih, n]; ensemble = cold; base = scha_modes[ice_ih, n]; flow = ours; seed = derive(3, n); warm_start = chained[prev(n)]; stage main { loss = reverse_kl; steps = if last(n) then 30 else 40 } }\n"
    "sample draws[p in phase, r in rep] { model = first[p, r]; count = 200; seed = derive(4, p, r) }\n"
    "sample ice { model = again[ice_ih, 2]; count = 300; seed = 5 }\n"
    "reference ref[p in phase] { system = both[p, 64]; ensemble = cold; path = base_to_target(scha_modes[p, 64], 3); sampler = hmc(16, steps = 64); seed = derive(6, p) }\n"
    "estimate F[p in phase, r in rep] { method = bar; samples = draws[p, r]; data = ref[p] }\n"
    "estimate same[p in phase, r in rep] { method = lbar; samples = draws[p, r].samples; data = ref[p].samples }\n"
    "estimate one { method = tfep; samples = sample.ice }\n"
    "let gap = mean(F[ice_ih, *].per_particle) - mean(F[diamond_cubic, *].per_particle)\n"
    "table gaps { column gap { value = gap; digits = 3 }; column one { value = one.per_particle + max(F[*, 1].ess) } }\n"
    "table all[p in phase] { column f { value = mean([F[p, r].per_particle for r in rep]) } }\n"
    "figure f { size = [400, 300]; series s1[p in phase] { x = [r for r in rep]; y = same[p, *].per_particle; style = if p == ice_ih then dashed else line } }\n"
    "figure h2 { series rdf { y = rdf(sample.ice, bins = 100) } }\n"
    "expect close { value = gap; reference = 0.0; tolerance = 0.5 }\ntarget default = [gaps, all, f, close]\n";

}  // namespace

TEST_CASE("no way of writing the quickstart changes a key", "[key]") { check_ways(text_of_file("workflows/quickstart.bgw"), {}, 120); }

TEST_CASE("no way of writing the mW program changes a key", "[key]") {
  check_ways(text_of_file("examples/paper_mw_ice.bgw"), {{"lib/mw.bgw", text_of_file("examples/lib/mw.bgw")}}, 60);
}

TEST_CASE("no way of writing the silicon program changes a key", "[key]") { check_ways(text_of_file("examples/silicon_phase_diagram.bgw"), {}, 100); }

TEST_CASE("no way of writing the Lennard-Jones program changes a key", "[key]") { check_ways(text_of_file("examples/lj_npt.bgw"), {}, 120); }

TEST_CASE("no way of writing a program of everything else changes a key", "[key]") {
  check_ways(kEverything, {{"lib/mw.bgw", text_of_file("examples/lib/mw.bgw")}}, 200);
}
