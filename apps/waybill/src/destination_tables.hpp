// The `[destinations.NAME]` tables of a configuration file.
#pragma once

#include "config.hpp"
#include "toml_reader.hpp"

namespace waybill::cli {

// Reads every table in `[destinations]`, `[destinations.default]` included, and complains about
// what is wrong in one or does not fit together.
void read_destinations(const toml::table& table, TomlReader& reader,
                       Config::Destinations& destinations);

}  // namespace waybill::cli
