#include "serials.hpp"

#include "../services/gathered_writes.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <charconv>

namespace hanaper::issuance {
namespace {

// Documents by lane: the first offset that nobody has taken, in digits.
constexpr std::string_view lanes = "host.serial";
constexpr int lane_attempts = 8;
// A number that lies further ahead than that is one that was drawn at random: nobody comes to it in turn.
constexpr std::uint64_t far_ahead = std::uint64_t{1} << 32;

// The digits of a record or a mark file, maybe with a line end. Anything else is no number to go on from.
std::optional<std::uint64_t> number_in(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// From `first` to `serial`; nothing for one before it, or further behind it than a lane can get.
std::optional<std::uint64_t> offset(const Serial& first, const Serial& serial) {
  if (serial < first) return std::nullopt;
  std::array<std::uint8_t, Serial::max_size> rest{}, start{};
  std::ranges::copy(serial.octets(), rest.end() - static_cast<std::ptrdiff_t>(serial.octets().size()));
  std::ranges::copy(first.octets(), start.end() - static_cast<std::ptrdiff_t>(first.octets().size()));
  std::uint64_t count = 0;
  int borrow = 0;
  for (std::size_t i = rest.size(); i-- > 0;) {
    const int digit = rest[i] - start[i] - borrow;
    borrow = digit < 0 ? 1 : 0;
    const auto octet = static_cast<std::uint64_t>(digit & 0xff);
    const std::size_t place = rest.size() - 1 - i;
    if (place >= sizeof count && octet != 0) return std::nullopt;
    if (place < sizeof count) count |= octet << (8 * place);
  }
  return count;
}

RecordWrite lane_write(const std::string& lane, std::uint64_t version, std::uint64_t head) {
  return {std::string(lanes), lane, version, false, {}, {}, std::to_string(head)};
}

}  // namespace

Status skip_in_lanes(Records& records, services::Writer& writer, std::uint64_t numbers) {
  constexpr std::uint32_t page = 1000;
  services::GatheredWrites writes(writer, std::chrono::steady_clock::now() + std::chrono::minutes{1});
  for (std::string after;;) {
    HANAPER_TRY(const std::vector<Record> found, records.find(lanes, "", "", after, page));
    for (const Record& lane : found) {
      const auto head = number_in(lane.data);
      if (!head) continue;  // nobody draws from it as it is
      Write write;
      write.records.push_back(lane_write(lane.key, lane.version, *head + numbers));
      HANAPER_CHECK(writes.add(std::move(write)));
    }
    if (found.size() < page) return writes.commit();
    after = found.back().key;
  }
}

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

RangeSerials::RangeSerials(config::SerialConfig config, const std::string& authority, std::string mark_file,
                           Records& records, services::Writer& writer, Log& log)
    : config_(std::move(config)),
      begins_(authority + ":"),
      lane_(begins_ + config_.start.hex()),
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

Error RangeSerials::fought_over() const {
  return unavailable("serial ranges of lane " + lane_ + " are fought over");
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

Result<RangeSerials::Lane> RangeSerials::read_lane() const {
  Lane lane;
  auto record = records_.get(lanes, lane_);
  if (!record && record.error().code != Code::not_found) return std::move(record).error();
  if (record) {
    const auto stored = number_in(record->data);
    if (!stored) return internal("the serial range of lane " + lane_ + " in the database is no number");
    lane = {*stored, record->version};
  }
  HANAPER_TRY(const std::uint64_t mark, read_mark());
  if (mark > lane.head) {
    log_.error("the database has lost a serial range; continuing behind it",
               {{"lane", lane_}, {"database", std::to_string(lane.head)}, {"mark", std::to_string(mark)}});
    lane.head = mark;
  }
  return lane;
}

// Database first, mark second, use third: whichever of them is lost, the other still knows.
Status RangeSerials::move(const Lane& lane, std::uint64_t head, Deadline deadline) {
  Write write;
  write.records.push_back(lane_write(lane_, lane.version, head));
  HANAPER_CHECK(writer_.commit(write, deadline));
  return write_mark(head);
}

Result<RangeSerials::Run> RangeSerials::take(Deadline deadline) {
  for (int attempt = 0; attempt < lane_attempts; ++attempt) {
    HANAPER_TRY(const Lane lane, read_lane());
    const Run run{lane.head, lane.head + config_.size};
    if (run.end < run.next) return used_up();
    HANAPER_CHECK(at(run.end - 1));
    HANAPER_CHECK(check_lanes(run.end));
    const Status taken = move(lane, run.end, deadline);
    if (!taken && taken.error().code == Code::conflict) continue;
    if (!taken) return taken.error();
    HANAPER_CHECK(check_lanes(run.end));  // two that begin at once both see it now, if not before
    return run;
  }
  return fought_over();
}

Status RangeSerials::check_lanes(std::uint64_t end) const {
  constexpr std::uint32_t page = 1000;
  for (std::string after = begins_;;) {
    HANAPER_TRY(const std::vector<Record> found, records_.find(lanes, "", "", after, page));
    for (const Record& other : found) {
      if (!other.key.starts_with(begins_)) return {};
      const auto start = Serial::from_text(std::string_view(other.key).substr(begins_.size()));
      const auto head = number_in(other.data);
      if (other.key == lane_ || !start || !head) continue;
      const auto ahead = offset(config_.start, *start), behind = offset(*start, config_.start);
      if ((ahead && *ahead < end) || (behind && *behind < *head))
        return unavailable("the serial numbers of lane " + lane_ + " are those of lane " + other.key +
                           ", too; configure another range.start");
    }
    if (found.size() < page) return {};
    after = found.back().key;
  }
}

Status RangeSerials::pass(std::span<const Serial> taken, Deadline deadline) {
  std::vector<std::uint64_t> offsets;
  for (const Serial& serial : taken)
    if (const auto ahead = offset(config_.start, serial)) offsets.push_back(*ahead);
  std::ranges::sort(offsets);
  const Lock lock(mutex_);
  for (Run* run : {&current_, &following_})
    for (const std::uint64_t offset : offsets)
      if (offset >= run->next && offset < run->end) run->next = offset + 1;
  for (int attempt = 0; attempt < lane_attempts; ++attempt) {
    HANAPER_TRY(const Lane lane, read_lane());
    std::uint64_t head = lane.head;
    for (const std::uint64_t offset : offsets)
      if (offset >= head && offset - head < far_ahead) head = offset + 1;
    if (head == lane.head) return {};
    Status moved = move(lane, head, deadline);
    if (moved || moved.error().code != Code::conflict) return moved;
  }
  return fought_over();
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
