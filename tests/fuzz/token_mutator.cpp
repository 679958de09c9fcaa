#include <cctype>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/schema/catalog.h"
#include "runtime/catalog/builtin_catalog.h"

// libFuzzer changes bytes and knows a dictionary. Most of what it makes is refused by the parser, so half of the changes
// are made here, to whole tokens and lines: they keep the brackets and reach the checker.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace bgw::fuzz {
namespace {

using Random = std::minstd_rand;

std::size_t below(Random& random, std::size_t end) { return end == 0 ? 0 : random() % end; }

bool of_a_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80) != 0; }

/// Words, runs of blanks, single other bytes.
std::vector<std::string> tokens_of(std::string_view text) {
  std::vector<std::string> tokens;
  for (const char c : text) {
    const bool joins = !tokens.empty() && ((of_a_word(c) && of_a_word(tokens.back().back())) || (c == ' ' && tokens.back().back() == ' '));
    if (joins) tokens.back() += c;
    else tokens.emplace_back(1, c);
  }
  return tokens;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines(1);
  for (const char c : text) {
    lines.back() += c;
    if (c == '\n') lines.emplace_back();
  }
  return lines;
}

void add_words(const std::vector<schema::Attribute>& attributes, std::vector<std::string>& words) {
  for (const schema::Attribute& attribute : attributes) {
    words.push_back(attribute.name);
    words.insert(words.end(), attribute.type.words.begin(), attribute.type.words.end());
  }
}

/// What stands in programs at places of names and numbers.
const std::vector<std::string>& spare_words() {
  static const std::vector<std::string> kWords = [] {
    std::vector<std::string> words{"0", "1", "-1", "0.5", "1e-300", "1e300", "9223372036854775807", "64", "2 .. 5", "1 .. 3 step 0.5", "none", "true",
                                   "K", "eV", "lj", "angstrom", "[1, 2]", "[]", "*", "first(n)", "prev(n)", "derive(1, n)", "n", "1 == 1", "{ a: 1 }"};
    const schema::Catalog catalog = catalog::builtin_catalog();
    for (const std::string& noun : catalog.nouns()) {
      words.push_back(noun);
      add_words(catalog.find_kind(noun)->attributes, words);
      for (const auto& nested : catalog.find_kind(noun)->nested) add_words(nested.attributes, words);
      for (const auto& result : catalog.find_kind(noun)->results) words.push_back("." + result.name);
    }
    for (const std::string& name : catalog.constructor_names()) words.push_back(name + "(");
    return words;
  }();
  return kWords;
}

/// One change of a list of pieces: taken out, doubled, moved, or put in the place of another.
void change(std::vector<std::string>& pieces, Random& random) {
  const std::size_t from = below(random, pieces.size());
  const std::size_t to = below(random, pieces.size());
  const std::string piece = pieces[from];
  switch (below(random, 4)) {
    case 0: pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(from)); break;
    case 1: pieces.insert(pieces.begin() + static_cast<std::ptrdiff_t>(to), piece); break;
    case 2: std::swap(pieces[from], pieces[to]); break;
    default: pieces[to] = piece; break;
  }
}

std::size_t mutate(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  Random random(seed);
  if (size == 0 || below(random, 2) == 0) return LLVMFuzzerMutate(data, size, most);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const bool lines = below(random, 3) == 0;
  std::vector<std::string> pieces = lines ? lines_of(text) : tokens_of(text);
  for (std::size_t changes = 1 + below(random, 4); changes > 0 && !pieces.empty(); --changes) {
    if (!lines && below(random, 3) == 0) pieces[below(random, pieces.size())] = spare_words()[below(random, spare_words().size())];
    else change(pieces, random);
  }
  std::string result;
  for (const std::string& piece : pieces) result += piece;
  const std::size_t length = std::min(result.size(), most);
  std::memcpy(data, result.data(), length);
  return length;
}

}  // namespace
}  // namespace bgw::fuzz

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  return bgw::fuzz::mutate(data, size, most, seed);
}
