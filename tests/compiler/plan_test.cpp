#include "compiler/plan/sha256.h"
#include "tests/support/catch.h"

using namespace bgw::plan;

TEST_CASE("SHA-256 of known texts", "[plan]") {
  CHECK(sha256("").hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("a key reads back from its digits", "[plan]") {
  const Key key = sha256("bgw");
  CHECK(Key::from_hex(key.hex()) == key);
  CHECK(key.short_hex() == key.hex().substr(0, 12));
  CHECK_THROWS_AS(Key::from_hex("abc"), std::invalid_argument);
  CHECK_THROWS_AS(Key::from_hex(std::string(64, 'x')), std::invalid_argument);
}
