// Times and durations as people and protocols write them.
#pragma once

#include <hanaper/values.hpp>

namespace hanaper {

// RFC 3339 in UTC to the second: "2026-11-21T18:50:00Z".
std::string time_text(Time time);
// The same to the millisecond: "2026-11-21T18:50:00.123Z".
std::string time_text_ms(Time time);
// RFC 9110 5.6.7: "Sat, 21 Nov 2026 18:50:00 GMT".
std::string http_date(Time time);

// The three forms of RFC 9110 5.6.7; the year of two digits is the last that is not more than 50 years after
// `now`. malformed otherwise.
Result<Time> parse_http_date(std::string_view text, Time now);

// RFC 3339, any offset, fractions cut to milliseconds; years 1970 to 9999. malformed otherwise.
Result<Time> parse_time_text(std::string_view text);

// "500ms", "90s", "10m", "12h", "90d", "2w", "10y" (of 365 days); whole numbers only. malformed otherwise.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
std::string duration_text(std::chrono::milliseconds duration);

// "100", "64KiB", "16MiB", "1GiB". malformed otherwise.
Result<ByteCount> parse_size(std::string_view text);
std::string size_text(ByteCount size);

}  // namespace hanaper
