#include "verdicts.hpp"

namespace hanaper::acme {

Verdicts::Place::Place(Verdicts& verdicts, std::string authorization)
    : verdicts_(verdicts), authorization_(std::move(authorization)) {
  const Lock lock(verdicts_.mutex_);
  seated_ = verdicts_.places_.size() < verdicts_.at_once_;
  if (seated_) verdicts_.places_.push_back(this);
}

Verdicts::Place::~Place() {
  const Lock lock(verdicts_.mutex_);
  std::erase(verdicts_.places_, this);
}

void Verdicts::Place::wait(std::chrono::milliseconds longest) {
  Lock lock(verdicts_.mutex_);
  verdicts_.changed_.wait_for(lock, longest, [&] { return over_ || !seated_; });
}

void Verdicts::tell(const std::string& authorization) {
  const Lock lock(mutex_);
  for (Place* place : places_)
    if (place->authorization_ == authorization) place->over_ = true;
  changed_.notify_all();
}

}  // namespace hanaper::acme
