# Sourced by ./run and ./test: finds out what this machine has, installs what it lacks, builds. Everything found out is kept in artifacts/.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
artifacts=$root/artifacts
aspire_version=13.5.4
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1

say() { echo "$*" >&2; }
fail() { echo >&2; echo "$1" >&2; echo "  fix  $2" >&2; exit 1; }

need_dotnet() {
    command -v dotnet >/dev/null || fail "The .NET SDK is not installed." "install the .NET 10 SDK: https://dotnet.microsoft.com/download"
    (cd "$root" && dotnet --version >/dev/null 2>&1) || fail "This .NET SDK is too old: $(cd / && dotnet --version 2>/dev/null || echo unknown)" "install the .NET 10 SDK: https://dotnet.microsoft.com/download"
}

# need_package COMMAND PACKAGE: installs a Debian package unless the command is there.
need_package() {
    command -v "$1" >/dev/null && return
    compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null && return
    [[ $(id -u) == 0 ]] || fail "$1 is not installed." "sudo apt-get install $2"
    command -v apt-get >/dev/null || fail "$1 is not installed, and there is no apt-get here." "install $2 with the package manager of this system"
    say "installing $2 ..."
    mkdir -p "$artifacts"
    export DEBIAN_FRONTEND=noninteractive
    # No service of the system is wanted: each run has servers of its own.
    if ! RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "$2" >"$artifacts/apt.log" 2>&1; then
        apt-get update -qq >>"$artifacts/apt.log" 2>&1 || true
        RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "$2" >>"$artifacts/apt.log" 2>&1 \
            || fail "$2 could not be installed; $artifacts/apt.log tells why." "apt-get install $2"
    fi
}

# The package feed of this machine may be a partial mirror (docs/feeds.md). Found out once, by trying.
probe_feed() {
    [[ -f $artifacts/feed.props ]] && return
    say "looking at the package feed ..."
    local probe=$artifacts/probe feed=limited aspire=false
    # Another version than the pinned one is not the pinned one.
    restores() {
        mkdir -p "$probe/$1"
        printf '<Project />' | tee "$probe/Directory.Build.props" "$probe/Directory.Build.targets" "$probe/Directory.Packages.props" >/dev/null
        { echo '<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><TargetFramework>net10.0</TargetFramework><WarningsAsErrors>NU1603</WarningsAsErrors></PropertyGroup><ItemGroup>'
          printf '%s\n' "${@:2}"
          echo '</ItemGroup></Project>'; } >"$probe/$1/$1.csproj"
        dotnet restore "$probe/$1/$1.csproj" -v q >"$probe/$1.log" 2>&1
    }
    version() { sed -n "s/.*<$1[^>]*>\([0-9.]*\)<.*/\1/p" "$root/Directory.Packages.props" | tail -1; }
    if restores full "<PackageReference Include=\"Yarp.ReverseProxy\" Version=\"$(version YarpVersion)\" />" \
        "<PackageReference Include=\"StackExchange.Redis\" Version=\"$(version RedisVersion)\" />" \
        "<PackageReference Include=\"System.IO.Hashing\" Version=\"$(version HashingVersion)\" />"; then
        feed=full
        if restores aspire "<PackageReference Include=\"Aspire.Hosting.AppHost\" Version=\"$(version AspireVersion)\" />" \
            "<PackageDownload Include=\"Aspire.AppHost.Sdk\" Version=\"[$(version AspireVersion)]\" />"; then
            aspire=true
        fi
    fi
    rm -rf "$probe"
    mkdir -p "$artifacts"
    echo "<Project><PropertyGroup><PackageFeed>$feed</PackageFeed><UseAspire>$aspire</UseAspire></PropertyGroup></Project>" >"$artifacts/feed.props"
    say "  $feed feed, Aspire packages: $([[ $aspire == true ]] && echo yes || echo "no (AppHost/LocalHosting stands in)")"
}

# The orchestrator and the dashboard of Aspire come as an npm package. Without it the fleet runs as plain processes.
need_aspire() {
    compgen -G "$artifacts/aspire/package/versions/*/dcp/dcp" >/dev/null && return
    [[ -n ${ASPIRE_DCP_PATH:-} && -n ${ASPIRE_DASHBOARD_PATH:-} ]] && return
    local package=@microsoft/aspire-cli-linux-x64
    if [[ $(uname -s)-$(uname -m) != Linux-x86_64 ]] || ! command -v npm >/dev/null; then
        say "no dashboard: $package needs npm and Linux on x64"
        return
    fi
    say "downloading the dashboard ($package $aspire_version, 125 MB) ..."
    local folder=$artifacts/aspire
    rm -rf "$folder"
    mkdir -p "$folder/home"
    if (cd "$folder" && npm pack --silent "$package@$aspire_version" >pack.log 2>&1 && tar xzf ./*.tgz && rm ./*.tgz &&
        HOME=$folder/home ASPIRE_CLI_TELEMETRY_OPTOUT=true package/bin/aspire setup >setup.log 2>&1); then
        return
    fi
    say "no dashboard: $package could not be had ($folder/*.log tell why); the fleet runs without it"
}

# build CONFIGURATION TARGET: builds unless nothing has changed since the last time.
build() {
    local lock
    mkdir -p "$artifacts"
    exec {lock}>"$artifacts/build.lock"
    # One build at a time: ./run user may well be typed while ./run still builds.
    command -v flock >/dev/null && flock "$lock"
    build_if_changed "$@"
    exec {lock}>&-
}

build_if_changed() {
    local stamp=$artifacts/built.$1.$(basename "$2") log=$artifacts/build.log newer
    if [[ -f $stamp ]]; then
        newer=$(find "$root" \( -name bin -o -name obj -o -name artifacts -o -name node_modules -o -name .git -o -name data -o -name tests \) -prune -o \
            \( -name '*.cs' -o -name '*.csproj' -o -name '*.props' -o -name '*.sql' -o -name '*.txt' -o -name '*.sh' -o -name '*.json' \) -newer "$stamp" -print -quit)
        [[ -z $newer && $artifacts/feed.props -ot $stamp ]] && return 0
    fi
    say "building ($1) ..."
    local begun=$SECONDS
    touch "$artifacts/building"
    # One compiler for all projects takes half the time of one each; it is sent away at the end.
    local code=0
    dotnet build "$2" -c "$1" -v q -nologo -m:2 -clp:NoSummary -p:UseSharedCompilation=true >"$log" 2>&1 || code=$?
    dotnet build-server shutdown --vbcscompiler >/dev/null 2>&1 || true
    if ((code != 0)); then
        grep -E ': (error|warning) ' "$log" | sort -u | head -20 >&2 || tail -20 "$log" >&2
        fail "The build failed; $log has all of it." "mend the errors above"
    fi
    mv "$artifacts/building" "$stamp"
    say "  built in $((SECONDS - begun)) s"
}
