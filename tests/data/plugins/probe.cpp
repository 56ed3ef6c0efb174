// One tiny plugin in many shapes, most of them bad; which one, the build says. Whatever its shape, it leaves
// a mark as soon as any code of it runs.
#include <hanaper/stages.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#ifdef PROBE_OTHER_EPOCH
#undef HANAPER_SDK_EPOCH
#define HANAPER_SDK_EPOCH 4711
#endif

namespace {

// Without std::string, so that every string ABI can do it.
struct Mark {
  Mark() {
    const char* folder = std::getenv("HANAPER_TEST_MARKS");
    const int place = folder == nullptr ? -1 : ::open(folder, O_DIRECTORY | O_CLOEXEC);
    if (place < 0) return;
    ::close(::openat(place, PROBE_SHAPE, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    ::close(place);
  }
};
const Mark mark;

constexpr hanaper::SettingKey keys[] = {
    {"colour", hanaper::SettingType::text, "red", nullptr, "what it looks like"}};

class Probe final : public hanaper::Policy {
 public:
  hanaper::Status configure(const hanaper::Settings&, hanaper::Host&) override { return {}; }
  hanaper::Status decide(hanaper::Draft& draft, hanaper::Call&) override {
    draft.names.push_back({hanaper::Identifier::Kind::dns, "probe.example.test"});
    return {};
  }
};

}  // namespace

#ifdef PROBE_UNRESOLVED
extern "C" int nobody_defines_this();
extern "C" __attribute__((visibility("default"))) int probe_needs_it() { return nobody_defines_this(); }
#endif

#ifdef PROBE_TWO_TAGS
extern "C" __attribute__((visibility("default"))) const char hanaper_abi_epoch4711_of_another_time[];
const char hanaper_abi_epoch4711_of_another_time[] = "";
#endif

#if defined(PROBE_UNTAGGED) || defined(PROBE_OLD_MANIFEST)
extern "C" __attribute__((visibility("default"))) const hanaper::Manifest hanaper_manifest;
const hanaper::Manifest hanaper_manifest = {
    .size = PROBE_MANIFEST_SIZE,
    .kind = PROBE_KIND,
    .name = PROBE_NAME,
    .version = "1.2.3",
    .licence = "Apache-2.0",
    .summary = "a plugin for tests of the loader",
    .keys = keys,
    .key_count = 1,
    .create = hanaper::create_plugin<Probe>,
};
#endif

#if defined(PROBE_OLD_MANIFEST) || defined(PROBE_NO_MANIFEST)
extern "C" __attribute__((visibility("default"))) const char HANAPER_ABI_SYMBOL[];
const char HANAPER_ABI_SYMBOL[] = HANAPER_TEXT(HANAPER_ABI_SYMBOL);
#endif

#if !defined(PROBE_UNTAGGED) && !defined(PROBE_OLD_MANIFEST) && !defined(PROBE_NO_MANIFEST)
HANAPER_PLUGIN(.kind = PROBE_KIND, .name = PROBE_NAME, .version = "1.2.3", .licence = "Apache-2.0",
               .summary = "a plugin for tests of the loader", .keys = keys, .key_count = 1,
               .create = hanaper::create_plugin<Probe>);
#endif
