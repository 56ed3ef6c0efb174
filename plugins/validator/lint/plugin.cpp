// The door of validator/lint: certificates that break RFC 5280 and its companions are not signed.
#include "lint.hpp"

HANAPER_PLUGIN(.kind = "validator", .name = "lint", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "checks certificates against RFC 5280 and its companions before they are signed",
               .keys = hanaper::lint::keys, .key_count = std::size(hanaper::lint::keys),
               .create = hanaper::create_plugin<hanaper::lint::Lint>);
