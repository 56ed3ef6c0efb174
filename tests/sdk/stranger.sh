# Sourced with `build`, `source` and `name` set: installs the SDK below $prefix and becomes somebody who has nothing else.
# The folders have fixed names, so that ccache knows the compilations of the last time.
umask 022
work=$(realpath "$build")/tests/sdk/$name
prefix=$work/prefix
rm -rf "$work" && mkdir -p "$work"
chmod go-w "$work"
trap '[ $failed -ne 0 ] || rm -rf "$work"' EXIT

. "${BASH_SOURCE[0]%/*}/../checks.sh"

# What is the same for each project that is built here: the way of the tree itself.
sanitizer=$(sed -n 's/^HANAPER_SANITIZER:[A-Z]*=//p' "$build/CMakeCache.txt")
[ "$sanitizer" != address ] || sanitizer=address,undefined  # as sdk/cmake/HanaperBuild.cmake has it
export CXXFLAGS="-Werror${sanitizer:+ -fsanitize=$sanitizer}"
[ -z "$(sed -n '/^HANAPER_COVERAGE:[A-Z]*=ON/p' "$build/CMakeCache.txt")" ] || CXXFLAGS+=" --coverage"
export CMAKE_GENERATOR=Ninja CMAKE_PREFIX_PATH=$prefix PATH=$prefix/bin:$PATH
command -v ccache > /dev/null && export CMAKE_CXX_COMPILER_LAUNCHER=ccache

check "everything installs (build every target first)" cmake --install "$build" --prefix "$prefix" || end
