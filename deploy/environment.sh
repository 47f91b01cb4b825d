# Sourced by tests/run, deploy/demo and deploy/lock, from the project's folder.
#
#   environment run|dev    makes .venv, or brings it up to date, with the locked packages:
#                          `run` what the system needs, `dev` what tests and linters need too.
#                          Does nothing where that is done already.
#
# Needs a Python of 3.11 or newer and a way to PyPI (pip's own settings hold), and nothing else. The
# modules of the arithmetic are compiled where there is a C compiler, or ziglang is to be had.
# Sets VENV, the folder of the environment.

VENV=.venv

# Whose machine keeps Python from writing bytecode (as images of containers often do) would have all
# packages compiled anew at each start of each process: 2.9 to 3.6 s of CPU for `live-audience
# --help`, where it takes 1.1 s. The environment here is ours, and what is written is ignored by git.
export PYTHONDONTWRITEBYTECODE=

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

# Prints the first Python that is new enough: $PYTHON if it is set, else what is on the path.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    die "no Python of 3.11 or newer was found (looked for: ${PYTHON:-python3, python3.11 to python3.14}).
Install one, or name it: PYTHON=/path/to/python3.12 $0"
}

# The state of .venv as one line: what was asked for, and what that meant at the time.
stamp() {
    "$VENV/bin/python" - "$1" pyproject.toml requirements.lock requirements-dev.lock <<'PYTHON'
import hashlib, pathlib, sys
sums = [hashlib.sha256(pathlib.Path(name).read_bytes()).hexdigest() for name in sys.argv[2:]]
# The folder too, for an environment holds absolute paths and cannot be moved.
print(sys.argv[1], hashlib.sha256(" ".join([*sums, sys.prefix, str(pathlib.Path.cwd())]).encode()).hexdigest())
PYTHON
}

# Installs by uv, which takes seconds, or by pip where uv does not get through: pip's settings may
# name a mirror that uv does not know of.
install() {
    local python=$VENV/bin/python pip
    pip=("$python" -m pip --disable-pip-version-check install --quiet)
    if [[ ! -x $VENV/bin/uv ]]; then
        "${pip[@]}" --require-hashes -r <(awk '/^[a-z]/ { on = /^uv==/ } on' requirements.lock) ||
            return
    fi
    "$VENV/bin/uv" pip install --quiet --python "$python" "$@" && return
    say "uv did not get through; trying pip, which is slower"
    "${pip[@]}" "$@"
}

environment() {
    local kind=$1 python have='' lock=requirements.lock started=$SECONDS
    [[ -f $VENV/stamp ]] && have=$(<"$VENV/stamp")
    if "$VENV/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        # An environment for development serves for running too.
        if [[ -n $have ]] && { [[ $have == "$(stamp dev)" ]] || [[ $have == "$(stamp "$kind")" ]]; }; then
            # Compiled anew where its source has changed.
            "$VENV/bin/python" deploy/compiled/extensions.py ||
                die "the compiled modules could not be made"
            return
        fi
    else
        python=$(find_python) || exit
        "$python" -c 'import ensurepip, venv' 2>/dev/null ||
            die "$python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"
        say "Making $VENV with $("$python" --version) ($python)"
        "$python" -m venv --clear "$VENV" || die "$python could not make $PWD/$VENV"
    fi
    # Once for development, always for development: `run` takes nothing away.
    if [[ $kind == dev || $have == dev* ]]; then
        kind=dev lock=requirements-dev.lock
    fi
    rm -f "$VENV/stamp"
    say "Installing the packages of $lock into $VENV"
    install --require-hashes -r "$lock" ||
        die "the packages could not be installed. Is PyPI within reach? (pip's own settings name a mirror.)"
    if ! "$VENV/bin/python" deploy/compiled/compilers.py; then
        say "There is no C compiler: installing ziglang, which is one (80 MB)"
        install --require-hashes -r deploy/compiled/ziglang.lock ||
            say "It is not to be had. All works without, slower"
    fi
    install --no-deps --no-build-isolation --editable . ||
        die "the project itself could not be installed"
    "$VENV/bin/python" -c 'from streams import compiled; print(compiled.status().text)' >&2
    stamp "$kind" >"$VENV/stamp"
    say "$VENV is ready ($((SECONDS - started)) s)"
}
