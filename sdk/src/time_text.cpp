#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>

namespace hanaper {
namespace {

struct Parts {
  std::chrono::year_month_day date;
  std::chrono::hh_mm_ss<std::chrono::milliseconds> clock;
  std::chrono::weekday weekday;
};

Parts split(Time time) {
  const auto days = std::chrono::floor<std::chrono::days>(time);
  return {std::chrono::year_month_day{days}, std::chrono::hh_mm_ss{time - days}, std::chrono::weekday{days}};
}

void put(std::string& text, std::size_t at, std::size_t digits, std::int64_t number) {
  for (std::size_t i = digits; i-- > 0; number /= 10) text[at + i] = static_cast<char>('0' + number % 10);
}

constexpr std::string_view months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// What is written at the places of Y, D, h, m and s in `form`, by letter, and of NNN, which is a month;
// nothing where it is written otherwise.
std::optional<std::map<char, int>> read_date(std::string_view text, std::string_view form) {
  std::map<char, int> read;
  if (text.size() != form.size()) return std::nullopt;
  for (std::size_t i = 0; i < form.size(); ++i) {
    const char place = form[i], c = text[i];
    if (place == 'N') {
      const auto* month = std::ranges::find(months, text.substr(i, 3));
      if (month == std::end(months)) return std::nullopt;
      read[place] = static_cast<int>(month - months) + 1;
      i += 2;
    } else if (std::string_view("YDhms").find(place) == std::string_view::npos) {
      if (c != place) return std::nullopt;
    } else {
      // A day of one digit has a space before it.
      if ((c < '0' || c > '9') && !(place == 'D' && c == ' ' && !read.contains('D'))) return std::nullopt;
      read[place] = read[place] * 10 + (c == ' ' ? 0 : c - '0');
    }
  }
  return read;
}

std::string rfc3339(Time time, bool milliseconds) {
  const Parts parts = split(time);
  std::string text = milliseconds ? "0000-00-00T00:00:00.000Z" : "0000-00-00T00:00:00Z";
  put(text, 0, 4, static_cast<int>(parts.date.year()));
  put(text, 5, 2, static_cast<unsigned>(parts.date.month()));
  put(text, 8, 2, static_cast<unsigned>(parts.date.day()));
  put(text, 11, 2, parts.clock.hours().count());
  put(text, 14, 2, parts.clock.minutes().count());
  put(text, 17, 2, parts.clock.seconds().count());
  if (milliseconds) put(text, 20, 3, parts.clock.subseconds().count());
  return text;
}

// The number in front of a unit; nothing when there is none or it is out of range.
std::optional<std::int64_t> leading_number(std::string_view& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end == text.data() || number < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
constexpr Unit durations[] = {{"ms", 1},
                              {"s", 1000},
                              {"m", 60'000},
                              {"h", 3'600'000},
                              {"d", 86'400'000},
                              {"w", 7 * 86'400'000LL},
                              {"y", 365 * 86'400'000LL}};
constexpr Unit sizes[] = {{"", 1}, {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};

template <std::size_t N>
std::optional<std::int64_t> scaled(std::string_view text, const Unit (&units)[N]) {
  const auto number = leading_number(text);
  if (!number) return std::nullopt;
  for (const Unit& unit : units)
    if (unit.name == text) {
      if (*number > std::int64_t{1} << 52 || *number > (std::int64_t{1} << 62) / unit.factor)
        return std::nullopt;
      return *number * unit.factor;
    }
  return std::nullopt;
}

}  // namespace

std::string time_text(Time time) { return rfc3339(time, false); }
std::string time_text_ms(Time time) { return rfc3339(time, true); }

std::string http_date(Time time) {
  constexpr std::string_view days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  const Parts parts = split(time);
  std::string text = "Xxx, 00 Xxx 0000 00:00:00 GMT";
  text.replace(0, 3, days[parts.weekday.c_encoding()]);
  put(text, 5, 2, static_cast<unsigned>(parts.date.day()));
  text.replace(8, 3, months[static_cast<unsigned>(parts.date.month()) - 1]);
  put(text, 12, 4, static_cast<int>(parts.date.year()));
  put(text, 17, 2, parts.clock.hours().count());
  put(text, 20, 2, parts.clock.minutes().count());
  put(text, 23, 2, parts.clock.seconds().count());
  return text;
}

Result<Time> parse_http_date(std::string_view text, Time now) {
  constexpr std::string_view two_digits = ", DD-NNN-YY hh:mm:ss GMT";
  const std::string_view behind_day = text.substr(std::min(text.find_first_of(", "), text.size()));
  for (std::string_view form : {std::string_view(", DD NNN YYYY hh:mm:ss GMT"), two_digits,
                                std::string_view(" NNN DD hh:mm:ss YYYY")}) {
    auto read = read_date(behind_day, form);
    if (!read) continue;
    int year = (*read)['Y'];
    if (form == two_digits) {
      const int latest = static_cast<int>(split(now).date.year()) + 50;
      year += (latest - year) / 100 * 100;
    }
    const std::chrono::year_month_day date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>((*read)['N'])},
                                           std::chrono::day{static_cast<unsigned>((*read)['D'])}};
    if (!date.ok() || (*read)['h'] > 23 || (*read)['m'] > 59 || (*read)['s'] > 60) break;
    return Time{std::chrono::sys_days{date} + std::chrono::hours{(*read)['h']} +
                std::chrono::minutes{(*read)['m']} + std::chrono::seconds{(*read)['s']}};
  }
  return malformed("\"" + std::string(text.substr(0, 64)) + "\" is no HTTP date");
}

Result<Time> parse_time_text(std::string_view text) {
  const auto bad = [&] {
    return malformed("\"" + std::string(text.substr(0, 64)) + "\" is no RFC 3339 time");
  };
  const auto number = [&](std::size_t at, std::size_t digits) -> int {
    int value = 0;
    for (std::size_t i = at; i < at + digits; ++i) {
      if (i >= text.size() || text[i] < '0' || text[i] > '9') return -1;
      value = value * 10 + (text[i] - '0');
    }
    return value;
  };
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') ||
      text[13] != ':' || text[16] != ':')
    return bad();
  const int year = number(0, 4), month = number(5, 2), day = number(8, 2);
  const int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (year < 1970 || month < 1 || day < 1 || !date.ok() || hour < 0 || hour > 23 || minute < 0 ||
      minute > 59 || second < 0 || second > 59)
    return bad();
  Time time{std::chrono::sys_days{date} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
            std::chrono::seconds{second}};
  std::size_t at = 19;
  if (text[at] == '.') {
    std::int64_t scale = 100;
    const std::size_t start = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
      time += std::chrono::milliseconds{(text[at] - '0') * scale};
    if (at == start || at - start > 9) return bad();
  }
  const std::string_view zone = text.substr(at);
  if (zone == "Z" || zone == "z") return time;
  const int zone_hours = number(at + 1, 2), zone_minutes = number(at + 4, 2);
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' || zone_hours < 0 ||
      zone_hours > 23 || zone_minutes < 0 || zone_minutes > 59)
    return bad();
  const auto offset = std::chrono::hours{zone_hours} + std::chrono::minutes{zone_minutes};
  return zone[0] == '+' ? time - offset : time + offset;
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  if (const auto value = scaled(text, durations)) return std::chrono::milliseconds{*value};
  return malformed("\"" + std::string(text.substr(0, 64)) +
                   "\" is no duration; write it like \"500ms\", \"10m\" or \"90d\"");
}

std::string duration_text(std::chrono::milliseconds duration) {
  const std::int64_t count = duration.count();
  for (std::string_view preferred : {"d", "h", "m", "s"})
    for (const Unit& unit : durations)
      if (unit.name == preferred && count != 0 && count % unit.factor == 0)
        return std::to_string(count / unit.factor) + std::string(preferred);
  return std::to_string(count) + "ms";
}

Result<ByteCount> parse_size(std::string_view text) {
  if (const auto value = scaled(text, sizes)) return ByteCount{static_cast<std::uint64_t>(*value)};
  return malformed("\"" + std::string(text.substr(0, 64)) +
                   "\" is no size; write it like \"64KiB\" or \"16MiB\"");
}

std::string size_text(ByteCount size) {
  for (std::string_view preferred : {"GiB", "MiB", "KiB"})
    for (const Unit& unit : sizes)
      if (unit.name == preferred && size.value != 0 &&
          size.value % static_cast<std::uint64_t>(unit.factor) == 0)
        return std::to_string(size.value / static_cast<std::uint64_t>(unit.factor)) + std::string(preferred);
  return std::to_string(size.value);
}

}  // namespace hanaper
