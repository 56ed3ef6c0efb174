#include "places.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hanaper::sql {

Places::Entry::Entry(Places& all, std::size_t at, int own)
    : places(all), place(at), socket(own < 0 ? -1 : ::fcntl(own, F_DUPFD_CLOEXEC, 0)) {
  const Lock lock(places.mutex_);
  places.entries_.insert(this);
}

Places::Entry::~Entry() {
  {
    const Lock lock(places.mutex_);
    places.entries_.erase(this);
  }
  if (socket >= 0) ::close(socket);
}

void Places::Entry::cut() const {
  if (socket >= 0) ::shutdown(socket, SHUT_RDWR);
}

Places::Places(std::vector<Place> places, Host& host, const Dialect& dialect, Open open)
    : places_(std::move(places)),
      host_(host),
      dialect_(dialect),
      open_(std::move(open)),
      watchdog_(host),
      states_(places_.size()) {}

void Places::watch() {
  if (places_.size() < 2 || std::exchange(watches_, true)) return;
  for (std::size_t place = 0; place < places_.size(); ++place)
    host_.thread("hanaper-dbplace", [this, place](const std::stop_token& stop) { keep_asking(place, stop); });
}

std::vector<std::size_t> Places::order() const {
  std::vector<std::size_t> order(places_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const Lock lock(mutex_);
  const auto answers = [&](std::size_t place) HANAPER_REQUIRES(mutex_) { return states_[place].answers; };
  std::ranges::stable_partition(order, answers);
  return order;
}

std::unique_ptr<Connection> Places::connect(const Open& connect) {
  Failure failure;
  for (const std::size_t place : order()) {
    try {
      std::unique_ptr<Connection> connection = connect(places_[place]);
      connection->sit(std::make_unique<Entry>(*this, place, connection->socket()));
      let_in(place);
      return connection;
    } catch (const Failure& thrown) {
      failure.kind = thrown.kind;
      const std::string where = places_.size() > 1 ? places_[place].text() + ": " : "";
      failure.what += (failure.what.empty() ? "" : "; ") + where + thrown.what;
      leave(place, thrown.what, Connections::stay);
    }
  }
  throw failure;
}

void Places::ask(Connection& connection) const {
  try {
    dialect_.probe(connection.session());
  } catch (const soci::soci_error&) {
    throw dialect_.classify();
  }
}

void Places::keep_asking(std::size_t place, const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const Lock lock(mutex_);
    ended_.notify_all();
  });
  std::unique_ptr<Connection> connection;
  for (;;) {
    Connections others = Connections::stay;
    try {
      if (!connection) connection = open_(places_[place]);
      others = Connections::are_cut;
      const auto guard = watchdog_.guard(connection->socket(), answers_within);
      ask(*connection);
      answered(place);
    } catch (const Failure& failure) {
      connection.reset();
      leave(place, failure.what, others);
    }
    Lock lock(mutex_);
    if (ended_.wait_for(lock, asked_every, [&] { return stop.stop_requested(); })) return;
  }
}

void Places::answered(std::size_t place) {
  {
    const Lock lock(mutex_);
    State& state = states_[place];
    if (state.answers || ++state.answered < answers_until_back) return;
  }
  let_in(place);
}

void Places::let_in(std::size_t place) {
  const Lock lock(mutex_);
  if (states_[place].answers) return;
  states_[place] = {};
  choose();
  host_.log().info("a database answers again", {{"place", places_[place].text()}});
}

// Where a server stands still nothing that was sent there is answered any more, and nobody waits for it. One
// that has no room for another connection serves those that it has until they are back.
void Places::leave(std::size_t place, const std::string& why, Connections connections) {
  if (places_.size() < 2) return;
  const Lock lock(mutex_);
  State& state = states_[place];
  state.answered = 0;
  if (connections == Connections::are_cut)
    for (const Entry* entry : entries_)
      if (entry->place == place) entry->cut();
  if (!std::exchange(state.answers, false)) return;
  ++left_;
  choose();
  host_.log().warning("a database does not answer, or takes no writes; others are asked",
                      {{"place", places_[place].text()}, {"error", why}});
}

void Places::choose() {
  const auto found = std::ranges::find(states_, true, &State::answers);
  best_ = static_cast<std::size_t>(found - states_.begin());  // behind the last: none, and any is as good
}

}  // namespace hanaper::sql
