#pragma once

namespace bgw::test {

constexpr double kElectronvolt = 0.043364104241800934;  // of a kcal/mol

}  // namespace bgw::test
