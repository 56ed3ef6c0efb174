#include "serials.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <charconv>

namespace hanaper::issuance {
namespace {

constexpr std::string_view collection = "host.serial";

// The digits of a record or a mark file, maybe with a line end. Anything else is no number to go on from.
std::optional<std::uint64_t> number_in(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

Result<Serial> RandomSerials::draw(Deadline) {
  constexpr auto epoch = std::chrono::sys_days{std::chrono::year{2020} / 1 / 1};
  const Time now = clock_.now();
  if (now < epoch) return unavailable("the clock says " + time_text(now) + "; set the clock right");
  // 31 bits: the number stays positive within its 20 octets; the count begins again in 2088.
  const auto seconds =
      static_cast<std::uint32_t>(std::chrono::floor<std::chrono::seconds>(now - epoch).count() & 0x7fffffff);
  std::array<std::uint8_t, 20> octets;
  for (int i = 0; i < 4; ++i)
    octets[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(seconds >> (24 - 8 * i));
  crypto::random(std::span(octets).subspan(4));
  return Serial::from_magnitude(octets);
}

RangeSerials::RangeSerials(config::SerialConfig config, std::string lane, std::string mark_file,
                           Records& records, services::Writer& writer, Log& log)
    : config_(std::move(config)),
      lane_(std::move(lane)),
      mark_file_(std::move(mark_file)),
      records_(records),
      writer_(writer),
      log_(log) {}

Result<Serial> RangeSerials::at(std::uint64_t offset) const {
  Bytes magnitude(Serial::max_size, 0);
  const ByteView start = config_.start.octets();
  std::ranges::copy(start, magnitude.end() - static_cast<std::ptrdiff_t>(start.size()));
  std::uint64_t rest = offset;
  unsigned carry = 0;
  for (std::size_t i = magnitude.size(); i-- > 0; rest >>= 8, carry >>= 8) {
    carry += magnitude[i] + static_cast<unsigned>(rest & 0xff);
    magnitude[i] = static_cast<std::uint8_t>(carry);
  }
  auto serial = Serial::from_magnitude(magnitude);
  if (!serial || carry != 0) return used_up();
  return serial;
}

Error RangeSerials::used_up() const {
  return unavailable("the serial numbers of lane " + lane_ + " are used up; configure another range.start");
}

Result<Serial> RangeSerials::draw(Deadline deadline) {
  const Lock lock(mutex_);
  if (current_.next == current_.end) {
    current_ = std::exchange(following_, {});
    if (current_.next == current_.end) {
      HANAPER_TRY(current_, take(deadline));
    }
  }
  // Low-water mark: the following range is fetched while there is still something to give out.
  if (current_.end - current_.next <= config_.size / 4 && following_.next == following_.end) {
    if (auto run = take(deadline))
      following_ = *run;
    else
      log_.warning("no further serial range yet", {{"lane", lane_}, {"error", run.error().detail}});
  }
  return at(current_.next++);
}

// Database first, mark second, use third: whichever of them is lost, the other still knows.
Result<RangeSerials::Run> RangeSerials::take(Deadline deadline) {
  for (int attempt = 0; attempt < 8; ++attempt) {
    std::uint64_t head = 0, version = 0;
    auto record = records_.get(collection, lane_);
    if (!record && record.error().code != Code::not_found) return std::move(record).error();
    if (record) {
      const auto stored = number_in(record->data);
      if (!stored) return internal("the serial range of lane " + lane_ + " in the database is no number");
      version = record->version;
      head = *stored;
    }
    HANAPER_TRY(const std::uint64_t mark, read_mark());
    if (mark > head) {
      log_.error("the database has lost a serial range; continuing behind it",
                 {{"lane", lane_}, {"database", std::to_string(head)}, {"mark", std::to_string(mark)}});
      head = mark;
    }
    const Run run{head, head + config_.size};
    if (run.end < run.next) return used_up();
    HANAPER_CHECK(at(run.end - 1));
    Write write;
    write.records.push_back(
        {std::string(collection), lane_, version, false, {}, {}, std::to_string(run.end)});
    const Status taken = writer_.commit(write, deadline);
    if (!taken && taken.error().code == Code::conflict) continue;
    if (!taken) return taken.error();
    HANAPER_CHECK(write_mark(run.end));
    return run;
  }
  return unavailable("serial ranges of lane " + lane_ + " are fought over");
}

Result<std::uint64_t> RangeSerials::read_mark() const {
  auto text = files::read(mark_file_, 64);
  if (!text && text.error().code == Code::not_found) return std::uint64_t{0};
  if (!text) return std::move(text).error();
  const auto mark = number_in(*text);
  if (!mark) return unavailable(mark_file_ + ": is no number");
  return *mark;
}

Status RangeSerials::write_mark(std::uint64_t value) const {
  return files::replace(mark_file_, std::to_string(value) + "\n", 0600);
}

SerialSource::State RangeSerials::state() const {
  const Lock lock(mutex_);
  const auto range = [&](const Run& run) -> std::optional<SerialRange> {
    if (run.next == run.end) return std::nullopt;
    return SerialRange{*at(run.next), *at(run.end - 1)};  // take() has tried both
  };
  State state{"range", {}, range(current_), range(following_)};
  if (state.current) state.next = state.current->begin;
  return state;
}

}  // namespace hanaper::issuance
