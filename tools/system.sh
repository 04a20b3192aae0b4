#!/usr/bin/env bash
# Installs what the project needs from the system: Suricata (reads captures where there is no Zeek), a Java
# runtime >= 17 (runs the Kafka broker of the integration tests) and Maven (fetches that broker). For Debian 12,
# 13 and Ubuntu, as root or with sudo. Run it as often as you like: what is there already is left alone.
#
# Exit status: 0 all is there, 1 something could not be installed (one sentence on stderr says what).
# shellcheck disable=SC2016 # apt-get's own $(NAME) in --format
set -euo pipefail

readonly MIN_SURICATA=7
readonly MIN_JAVA=17
readonly BACKPORTS=/etc/apt/sources.list.d/threathunting-backports.sources
# Without it, indextargets tells of no source whose list has not been read yet: of none in a fresh image.
readonly TARGETS=(-o APT::Get::IndexTargets::ReleaseInfo=false)
readonly POLICY=/usr/sbin/policy-rc.d

say() { printf 'system: %s\n' "$*"; }
fail() {
  printf 'system: %s\n' "$*" >&2
  exit 1
}

# The major version that a program tells, 0 where it isn't there or says nothing of the kind.
suricata_major() {
  { suricata -V 2>/dev/null || true; } | sed -nE 's/.*version ([0-9]+)\..*/\1/p' | head -n 1 | grep . || echo 0
}
java_major() {
  { java -version 2>&1 || true; } | sed -nE 's/.*version "(1\.)?([0-9]+).*/\2/p' | head -n 1 | grep . || echo 0
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo -- "$@"
  fi
}

candidate() { # PACKAGE [RELEASE]: the version that apt would install, empty where there is none
  LC_ALL=C apt-cache policy ${2:+-t "$2"} "$1" 2>/dev/null | sed -nE 's/^ *Candidate: ([^(]+)$/\1/p'
}

updated=
update_lists() {
  [ -z "$updated" ] || return 0
  say "reading the package lists (apt-get update)"
  as_root apt-get update -qq -o DPkg::Lock::Timeout=300 || fail "apt-get update failed; see its message above"
  updated=yes
}

install_packages() { # [-t RELEASE] PACKAGE...
  say "installing $* with apt-get"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >/dev/null ||
    fail "apt-get could not install $*; see its message above"
}

# The deb822 stanza of this machine's own entry for a suite ($1), with another suite ($2) put in its place.
# Taking the whole entry keeps its mirror, its key and its options, whatever they are.
stanza_for() {
  local entry file number
  entry=$(apt-get indextargets "${TARGETS[@]}" --format '$(RELEASE) $(COMPONENT) $(SOURCESENTRY)' 'Created-By: Packages' |
    awk -v suite="$1" '$1 == suite && $2 == "main" && !met++ { print $3 }')
  [ -n "$entry" ] || return 1
  file=${entry%:*} number=${entry##*:}
  case $file in
    *.sources)
      awk -v RS= -v number="$number" 'NR == number' "$file" |
        awk '/^#/ { next }
             /^[^ \t]/ { drop = tolower($0) ~ /^(types|suites|components|enabled):/ }
             !drop'
      ;;
    *)
      sed -n "${number}p" "$file" | awk '{
        sub(/^deb[ \t]+/, "")
        if (match($0, /^\[[^]]*\]/)) {
          count = split(substr($0, 2, RLENGTH - 2), options, " ")
          $0 = substr($0, RLENGTH + 1)
          for (i = 1; i <= count; i++) {
            name = value = options[i]
            sub(/=.*/, "", name); sub(/^[^=]*=/, "", value); gsub(/,/, " ", value)
            if (name == "signed-by") print "Signed-By: " value
            if (name == "trusted") print "Trusted: " value
          }
        }
        print "URIs: " $1
      }'
      ;;
  esac
  printf 'Types: deb\nSuites: %s\nComponents: main\n' "$2"
}

add_backports() { # CODENAME
  local stanza
  if apt-get indextargets "${TARGETS[@]}" --format '$(RELEASE)' 'Created-By: Packages' | grep -x "$1-backports" >/dev/null; then
    return 0
  fi
  stanza=$(stanza_for "$1" "$1-backports") ||
    fail "apt has no source for $1 main, so where its backports are is not known; add $1-backports by hand"
  say "adding $1-backports as $BACKPORTS"
  printf '# Made by tools/system.sh of threathunting, for Suricata >= %s.\n%s\n' "$MIN_SURICATA" "$stanza" |
    as_root tee "$BACKPORTS" >/dev/null
  updated=
}

# Suricata's package starts a daemon that listens on the machine's network: we only want the program.
keep_daemons_down() {
  if [ -d /run/systemd/system ]; then
    as_root systemctl mask --quiet suricata.service
  elif [ ! -e "$POLICY" ]; then
    trap 'as_root rm -f "$POLICY"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
  fi
}

install_suricata() {
  local release='' version
  if [ "$ID" = debian ] && [ "${VERSION_ID:-}" = 12 ]; then
    add_backports "$VERSION_CODENAME"
    release=$VERSION_CODENAME-backports
  fi
  update_lists
  version=$(candidate suricata "$release")
  [ -n "$version" ] || fail "apt knows no package suricata on $PRETTY_NAME (on Ubuntu, enable universe)"
  local major=${version#*:}
  [ "${major%%.*}" -ge "$MIN_SURICATA" ] ||
    fail "$PRETTY_NAME has Suricata $version, and at least $MIN_SURICATA is needed: install a newer one by hand"
  keep_daemons_down
  install_packages ${release:+-t "$release"} suricata
}

install_java() {
  local package
  update_lists
  for package in openjdk-21-jre-headless openjdk-17-jre-headless openjdk-25-jre-headless; do
    if [ -n "$(candidate "$package")" ]; then
      install_packages "$package"
      return
    fi
  done
  fail "apt knows no headless Java runtime >= $MIN_JAVA on $PRETTY_NAME"
}

install_maven() {
  update_lists
  [ -n "$(candidate maven)" ] || fail "apt knows no package maven on $PRETTY_NAME (on Ubuntu, enable universe)"
  install_packages maven
}

have_suricata() { [ "$(suricata_major)" -ge "$MIN_SURICATA" ]; }
have_java() { [ "$(java_major)" -ge "$MIN_JAVA" ]; }
have_maven() { command -v mvn >/dev/null; }

if ! have_suricata || ! have_java || ! have_maven; then
  [ -r /etc/os-release ] || fail "no /etc/os-release: this is for Debian and Ubuntu only"
  # shellcheck source=/dev/null
  . /etc/os-release
  case "$ID" in
    debian | ubuntu) ;;
    *) fail "made for Debian and Ubuntu; on ${PRETTY_NAME:-$ID}, install Suricata >= $MIN_SURICATA, Java >= $MIN_JAVA and Maven by hand" ;;
  esac
  [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || fail "needs root: run it as root, or install sudo"
  have_suricata || install_suricata
  have_java || install_java
  have_maven || install_maven
fi

have_suricata || fail "installed, but 'suricata -V' does not tell a version >= $MIN_SURICATA; is another one first on PATH?"
have_java || fail "installed, but 'java -version' does not tell a version >= $MIN_JAVA; is another one first on PATH?"
have_maven || fail "installed, but there is no 'mvn' on PATH"
say "Suricata $(suricata -V 2>/dev/null | sed -nE 's/.*version ([0-9.]+).*/\1/p') ($(command -v suricata))"
say "Java $(java -version 2>&1 | sed -nE 's/.*version "([^"]+)".*/\1/p' | head -n 1) ($(command -v java))"
say "Maven $(mvn -version 2>/dev/null | sed -nE 's/.*Apache Maven ([0-9.]+).*/\1/p') ($(command -v mvn))"
