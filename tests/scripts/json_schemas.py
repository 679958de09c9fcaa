#!/usr/bin/env python3
"""What every command prints with --json is what its published schema (docs/schemas, `bgw schema`) says.

    tests/scripts/json_schemas.py BGW FAKE_PHYSICS SCHEMAS

Runs each command that bgw says takes --json in good and bad situations and validates every document. A command without
a schema or without a case fails, and so does an event of a run that no case has seen. Skipped (77) without the module
jsonschema, Debian's python3-jsonschema.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import jsonschema
except ImportError:
    debian = "/usr/bin/python3"
    if os.path.exists(debian) and os.path.realpath(sys.executable) != os.path.realpath(debian) and "BGW_TRIED" not in os.environ:
        os.execve(debian, [debian, *sys.argv], {**os.environ, "BGW_TRIED": "1"})
    print("skipped: the module jsonschema is missing; apt-get install python3-jsonschema")
    sys.exit(77)

Validator = jsonschema.Draft202012Validator
failures = []


def fail(text):
    failures.append(text)
    print("FAILED:", text)


# ---- the schemas themselves ------------------------------------------------------------------------------------------

def parts(schema):
    """Every subschema that is an object, the schema itself first; examples are none."""
    if isinstance(schema, dict):
        yield schema
        for name, value in schema.items():
            if name not in ("examples", "const", "enum"):
                yield from parts(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from parts(value)


def members(document):
    """Names of all members of a document, of those inside it too."""
    for value in document.values() if isinstance(document, dict) else document if isinstance(document, list) else ():
        yield from members(value)
    if isinstance(document, dict):
        yield from document


def is_schema_of_object(part):
    return part.get("type") == "object" and isinstance(part.get("properties"), dict)


def check_schema(name, schema, shared):
    """Valid, told in words, closed, its examples true to it, and not content with broken ones."""
    try:
        Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        return fail(f"{name}: no valid schema: {error.message}")
    for member in ("title", "description", "examples", "$id"):
        if not schema.get(member):
            fail(f"{name}: no {member}")
    for part in parts(schema):
        if is_schema_of_object(part) and "additionalProperties" not in part:
            fail(f"{name}: an object does not say what else it may hold: {', '.join(part['properties'])}")
    for definition, body in schema.get("$defs", {}).items():
        if shared.setdefault(definition, body) != body:
            fail(f"{name}: {definition} is another one elsewhere")
    for example in schema.get("examples", []):
        for error in Validator(schema).iter_errors(example):
            fail(f"{name}: an example does not fit: {error.message}")
        for broken in broken_ones(example) if name not in OPEN else ():
            if Validator(schema).is_valid(broken):
                fail(f"{name}: a broken document passes: {json.dumps(broken)[:200]}")


OPEN = {"query"}  # whose members are named by whoever asks


def broken_ones(document):
    """An object with a member nobody knows, without its schema, and one of another form."""
    if isinstance(document, dict):
        yield {**document, "surprise": 1}
        if "schema" in document:
            yield {name: value for name, value in document.items() if name != "schema"}
        yield {**document, "schema": 0}
    elif document and isinstance(document[0], dict):
        yield [{**document[0], "surprise": 1}, *document[1:]]
    yield "text"


def read_schemas(bgw, folder):
    files = {path.name.removesuffix(".schema.json"): path.read_text() for path in sorted(folder.glob("*.schema.json"))}
    listed = [line["name"] for line in json.loads(subprocess.check_output([bgw, "schema", "--json"]))]
    if sorted(listed) != sorted(files):
        fail(f"`bgw schema` lists {listed}, the folder holds {sorted(files)}")
    for name, text in files.items():
        if subprocess.check_output([bgw, "schema", name], text=True) != text:
            fail(f"`bgw schema {name}` prints another text than its file")
    schemas = {name: json.loads(text) for name, text in files.items()}
    told = (folder.parent / "commands.md").read_text()
    for name in schemas:
        if f"(schemas/{name}.schema.json)" not in told:
            fail(f"docs/commands.md does not name the schema {name}")
    shared = {}
    for name, schema in schemas.items():
        check_schema(name, schema, shared)
    return schemas


# ---- the commands ----------------------------------------------------------------------------------------------------

def commands_with_json(bgw, words=()):
    """As the help of bgw tells them; the words of a command are joined by '-'."""
    text = subprocess.check_output([bgw, *words, "--help"], text=True)
    if words and re.search(r"^ *--json\b", text, re.MULTILINE):
        yield "-".join(words)
    listed = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.MULTILINE)
    for word in re.findall(r"^  ([a-z][a-z0-9-]*)", listed[1], re.MULTILINE) if listed else ():
        yield from commands_with_json(bgw, (*words, word))


class Desk:
    """A folder with the quickstart in it, in which commands are called."""

    def __init__(self, bgw, task_program, schemas, folder):
        self.bgw, self.schemas, self.folder = bgw, schemas, folder
        self.environment = {**os.environ, "BGW_TASK": task_program, "NO_COLOR": "1"}
        self.cases, self.events = set(), set()
        self.seen = {name: set() for name in schemas}  # names of members

    def start(self, *arguments, **environment):
        return subprocess.Popen([self.bgw, *arguments], cwd=self.folder, env={**self.environment, **environment}, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def call(self, command, *arguments, code=0, answers=None, stream=False, **environment):
        """`answers`: the schema of what is printed last, where it is not that of the command; `stream`: a document a line;
        a `code` of None: that depends on the machine."""
        words = command.split("-")
        return self.end(command, self.start(*words, *arguments, "--json", **environment), code, answers, stream, arguments)

    def end(self, command, process, code, answers=None, stream=False, arguments=()):
        out, err = process.communicate(timeout=300)
        where = f"bgw {command.replace('-', ' ')} {' '.join(arguments)}"
        self.cases.add(command)
        code = process.returncode if code is None else code
        if process.returncode != code:
            fail(f"{where}: exit code {process.returncode}, not {code}: {err[-500:]}")
        lines = out.splitlines()
        if not lines or (len(lines) != 1 and not stream and command != "run"):
            fail(f"{where}: {len(lines)} lines: {out[:300]}")
        documents = [self.document(where, line) for line in lines]
        for place, document in enumerate(documents):
            last = place == len(documents) - 1
            self.validate(where, document, answers if answers and last else command)
        if documents and isinstance(documents[-1], dict) and documents[-1].get("exit_code", code) != code:
            fail(f"{where}: it tells exit code {documents[-1]['exit_code']}, not {code}")
        print(f"{where}: exit code {code}, {answers or command}")
        return documents

    def wait_for(self, run, event):
        for line in run.stdout:
            document = self.document("bgw run", line)
            self.validate("bgw run", document, "run")
            if document["event"] == event:
                return
        fail(f"no event {event} comes")

    @staticmethod
    def document(where, line):
        try:
            return json.loads(line, parse_constant=lambda text: fail(f"{where}: {text} is no JSON"))
        except ValueError as error:
            fail(f"{where}: no JSON: {error}: {line[:300]}")

    def validate(self, where, document, name):
        if name not in self.schemas:
            return fail(f"{where}: there is no schema {name}")
        for error in Validator(self.schemas[name]).iter_errors(document):
            deepest = min([error, *(error.context or [])], key=lambda each: -len(each.absolute_path))
            fail(f"{where}: not as {name} says: {deepest.message[:400]} at {list(deepest.absolute_path)}")
        if isinstance(document, dict) and "event" in document:
            self.events.add(document["event"])
        self.seen[name].update(members(document))

    def read(self, name, file):
        """A file that a command has written."""
        self.validate(file, json.loads((self.folder / file).read_text()), name)
        self.cases.add(name)


# What the cases here cannot bring about: no warning has a second place yet, the task program makes nothing that a longer
# task could go on from, GPUs are not everywhere, and silence takes minutes.
RARE_EVENTS = {"task_silent"}
RARE = {("check", "text"), ("plan", "extends"), ("saved-plan", "extends"), ("run", "extends"), ("run", "extended_from"),
        ("show", "extended_from"), ("why", "extended_from"), ("run", "gpus"),
        ("run", "words"), ("run", "places"), ("show", "words"), ("show", "places")}  # planes are those of phase diagrams
# Lines between phases take minutes; tests/runtime/phase_tasks_test.cpp makes them.
RARE |= {(command, name) for command in ("run", "show") for name in (
    "coexistence", "cells", "cell", "phase", "points", "temperature", "temperature_sigma", "pressure", "pressure_sigma", "slope", "slope_sigma",
    "from", "to", "densities", "density", "density_sigma", "c_over_a", "b_over_a", "enthalpy", "entropy", "bulk_modulus",
    "volume_fluctuations", "stable", "without_crossing", "because", "triple_points", "phases")}

WRONG = "bgw 1\nlattice ice { kind = diamond_cubic; atom = 64 }\n"
UNCLOSED = "bgw 1\nbase phonons { kind = scha\naxis size : int = [64, 216]\n"
# Beside the quickstart: warnings, a require that does not hold, a number without an error, and what this machine lacks.
DEMANDING = """
import "more.bgw" as more
param unused : int = 1
require draws[64].ess > 0.9 else "too few effective samples"
table behind { column generator { value = F[64].per_particle } }
figure sizes {
  series F { x = [64, 216]; y = [F[64].per_particle, F[216].per_particle] }
  series across { x = [F[64].per_particle, F[216].per_particle]; y = [64, 216]; band = true }
}
expect exact { value = draws[64].ess; reference = 0.3; sigmas = 4 }
resources large { cpus = 4000 }
base heavy { kind = phonon; system = water[64]; ensemble = cold; uses = large }
sample retried { model = bg; count = 100; seed = 7; retry { attempts = 2; on = [nan]; backoff = 1 s } }
reference alike[n in size] {
  system = water[n]; ensemble = cold; path = base_to_target(phonons[n], states = 3)
  sampler = hmc(chains = 16, steps = 64); seed = 1
}
"""
STRUCTURE = """2
Lattice="20 0 0 0 20 0 0 0 20" Properties=species:S:1:pos:R:3
O 0 0 0
O 2.7 0 0
"""


def damage_an_object(cache, key):
    victim = cache / "objects" / key[:2] / key / "result.h5"
    victim.chmod(0o644)
    with open(victim, "r+b") as file:
        file.seek(max(0, victim.stat().st_size // 2))
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0xFF]))


def programs(desk):
    desk.call("check", "ice.bgw")
    desk.call("check", "demanding.bgw")
    desk.call("check", "wrong.bgw", code=3, answers="failure")
    desk.call("check", "unclosed.bgw", code=3, answers="failure")
    desk.call("check", "none.bgw", code=2, answers="failure")
    desk.call("check", "ice.bgw", "--no-such-option", code=2, answers="failure")
    desk.call("list", "ice.bgw")
    desk.call("list", "ice.bgw", "--count")
    desk.call("list", "ice.bgw", "nobody", code=3, answers="failure")
    desk.call("energy", "ice.bgw", "water", "--structure", "two.xyz")
    desk.call("energy", "ice.bgw", "water", "--structure", "two.xyz", "--forces", "--stress")
    desk.call("energy", "ice.bgw", "water", "--structure", "two.xyz", "--structure", "two.xyz", "--forces", "--stress")
    desk.call("energy", "ice.bgw", "bg", "--structure", "two.xyz", code=3, answers="failure")
    desk.call("explain")
    desk.call("explain", "E0301")
    desk.call("explain", "E9999", code=2, answers="failure")
    for topic in ([], ["all"], ["units"], ["functions"], ["lattice"], ["train"], ["one_cycle"], ["sqrt"], ["rdf"]):
        desk.call("doc", *topic)
    desk.call("doc", "nothing", code=2, answers="failure")
    desk.call("schema")
    desk.call("schema", "nothing", code=2, answers="failure")


def without_results(desk):
    desk.call("plan", "ice.bgw")
    desk.call("plan", "ice.bgw", "--detailed-exitcode", code=10)
    desk.call("plan", "wrong.bgw", code=3, answers="failure")
    desk.call("show", "ice.bgw", "F[64]", code=4, answers="failure")
    desk.call("show", "ice.bgw", "water[64]")
    desk.call("export", "ice.bgw", "draws[64]", code=4, answers="failure")
    desk.call("log", "ice.bgw")
    desk.call("cache-verify", "ice.bgw")
    desk.call("run", "wrong.bgw", code=3, answers="failure")
    desk.call("run", "ice.bgw", code=6, answers="failure", BGW_TASK="/nowhere/bgw-task")


def results(desk):
    desk.call("run", "ice.bgw", code=4, BGW_FAKE_FAIL="train")
    desk.call("status", "ice.bgw")
    desk.call("plan", "ice.bgw")
    desk.call("run", "ice.bgw", "-p", "T=201 K", code=5, BGW_FAKE_SHIFT="5")
    desk.call("run", "ice.bgw")
    desk.call("run", "ice.bgw")
    desk.call("plan", "ice.bgw", "-p", "steps=600")
    for name in ("F", "F[64]", "F[64].ess", "bg", "ref", "free_energy", "rdf", "published", "mw", "phonons[64]"):
        desk.call("show", "ice.bgw", name)
    desk.call("show", "ice.bgw", "nobody", code=3, answers="failure")
    desk.call("export", "ice.bgw", "draws[64]", "--weighted")
    desk.call("export", "ice.bgw", "draws[64]", code=7, answers="failure")
    desk.call("export", "ice.bgw", "draws[64]", "--format", "extxyz", "--every", "2", "-o", "draws.xyz")
    desk.call("export", "ice.bgw", "F[64]", code=3, answers="failure")
    desk.call("log", "ice.bgw")
    desk.call("report", "ice.bgw")
    desk.call("run", "demanding.bgw", "behind", "sizes", "-p", "T=202 K", code=5)
    desk.call("run", "demanding.bgw", "exact", code=5)
    desk.call("show", "demanding.bgw", "exact")
    desk.call("run", "demanding.bgw", "sizes", code=5)
    desk.call("show", "demanding.bgw", "sizes")
    desk.call("run", "demanding.bgw", "retried", code=4, BGW_FAKE_FAIL="sample")


def troubles(desk):
    desk.call("run", "ice.bgw")
    desk.call("cache-rebuild", "ice.bgw")
    desk.call("cache-verify", "ice.bgw")
    damage_an_object(desk.folder / ".bgw", desk.call("show", "ice.bgw", "F[64]")[0]["key"])
    desk.call("cache-verify", "ice.bgw", code=6)
    desk.call("run", "ice.bgw")
    damage_an_object(desk.folder / ".bgw", desk.call("show", "ice.bgw", "bg")[0]["key"])
    (desk.folder / ".bgw" / "db.sqlite").write_text("no database")
    desk.call("cache-verify", "ice.bgw", code=6)
    desk.call("cache-verify", "ice.bgw", "--repair", "--evict")
    desk.call("cache-rebuild", "ice.bgw")


def signals_and_others(desk):
    def start(steps):
        return desk.start("run", "ice.bgw", "bg", "--cache", "slow", "--json", BGW_FAKE_STEPS=steps)

    stopped = start("2000")
    desk.wait_for(stopped, "task_progress")
    desk.call("run", "ice.bgw", "bg", "--cache", "slow", "--wait", "0", code=7)
    desk.call("log", "ice.bgw", "--cache", "slow")
    stopped.send_signal(signal.SIGINT)
    desk.end("run", stopped, 130)
    desk.call("status", "ice.bgw", "--cache", "slow")

    again = start("2000")
    desk.wait_for(again, "task_resumed")
    desk.wait_for(again, "task_progress")
    desk.call("status", "ice.bgw", "--cache", "slow")
    waiting = start("2")
    desk.wait_for(waiting, "attached")
    again.send_signal(signal.SIGINT)
    desk.end("run", again, 130)
    desk.end("run", waiting, 0)
    desk.call("log", "ice.bgw", "--cache", "slow")


def trust(desk):
    desk.call("plan", "ice.bgw", "-o", "saved.json", "-p", "steps=61", "--force", "draws")
    desk.read("saved-plan", "saved.json")
    desk.call("plan", "demanding.bgw", "-o", "other.json")
    desk.read("saved-plan", "other.json")
    desk.call("plan", "saved.json")
    desk.call("show", "saved.json", answers="plan")
    desk.call("run", "saved.json")
    desk.call("plan", "ice.bgw", "--until", "bg", "-p", "steps=62")
    desk.call("lock", "ice.bgw")
    desk.read("lock-file", "bgw.lock")
    desk.call("lock", "ice.bgw", "--check")
    desk.call("lock", "ice.bgw", "--check", "-p", "T=150 K", code=7)
    desk.call("run", "ice.bgw", "--locked", "-p", "T=150 K", code=7, answers="failure")
    desk.call("verify", "ice.bgw")
    desk.call("verify", "ice.bgw", "-p", "T=150 K", code=4)
    desk.call("reproduce", "ice.bgw", "--fresh", "--compare")
    desk.call("reproduce", "ice.bgw", "--fresh", "--compare", code=5, BGW_FAKE_SHIFT="3")
    desk.call("reproduce", "ice.bgw", "-p", "T=150 K", "--fresh", "--compare", code=4, answers="failure")


def benchmarks(desk):
    desk.call("bench-fe1", "--quick", "--seeds", "3")
    desk.call("bench-fe1", "--states", "A", "--methods", "hmc_bar,frenkel_ladd", "--lammps-seeds", "0", "--seeds", "2", "-o", "timed", BGW_FAKE_FAIL="bench")
    desk.read("bench-fe1", "timed/fe1.json")
    desk.call("bench-fe1", "--states", "A,E", code=2, answers="failure")
    desk.call("bench-fe1", "--methods", "hmc", code=2, answers="failure")


def upkeep(desk):
    desk.call("pins", "ice.bgw")
    desk.call("pin", "ice.bgw", "bg", "--as", "paper")
    desk.call("pins", "ice.bgw")
    desk.call("gc", "ice.bgw")
    desk.call("gc", "ice.bgw", "--keep-last", "1", "--older", "0s", "--root", "ice.bgw")
    desk.call("gc", "ice.bgw", "--keep-last", "1", "--older", "0s", "--apply")
    desk.call("unpin", "ice.bgw", "paper")
    desk.call("unpin", "ice.bgw", "paper", code=3, answers="failure")
    desk.call("query", "ice.bgw", "select name, value, sigma, unit from result where kind = 'estimate'")
    desk.call("query", "ice.bgw", "select * from runs")
    desk.call("query", "ice.bgw", "delete from runs", code=2, answers="failure")
    desk.call("gc", "ice.bgw", "--older", "soon", code=2, answers="failure")


def looking(desk):
    desk.call("run", "ice.bgw")
    desk.call("status", "ice.bgw")
    desk.call("logs", "ice.bgw", "bg")
    desk.call("logs", "ice.bgw", "phonons")
    desk.call("logs", "ice.bgw", "bg", "-f", stream=True)
    desk.call("logs", "ice.bgw", "free_energy", code=3, answers="failure")
    for name in ("bg", "F", "free_energy"):
        desk.call("why", "ice.bgw", name)
    desk.call("why", "ice.bgw", "F[64]", "-p", "steps=90")
    desk.call("why", "ice.bgw", "nobody", code=3, answers="failure")
    desk.call("diff", "ice.bgw", "F[64]", "F[216]")
    (desk.folder / "other.bgw").write_text((desk.folder / "ice.bgw").read_text().replace("= 60 ", "= 70 ").replace("[64, 216]", "[64]"))
    desk.call("diff", "ice.bgw", "other.bgw")
    desk.call("diff", "ice.bgw", "F[64]", "nobody", code=3, answers="failure")
    desk.call("doctor", code=None)
    desk.call("doctor", "ice.bgw", code=None)
    desk.call("doctor", "other.bgw", code=None)
    desk.call("doctor", "wrong.bgw", code=3, answers="failure")
    desk.call("status", "wrong.bgw", code=3, answers="failure")


def prepare(folder, quickstart):
    shutil.copy(quickstart, folder / "ice.bgw")
    (folder / "demanding.bgw").write_text(quickstart.read_text() + DEMANDING)
    (folder / "more.bgw").write_text("bgw 1\nparam rho : density = 0.0335 /angstrom^3\n")
    (folder / "wrong.bgw").write_text(WRONG)
    (folder / "unclosed.bgw").write_text(UNCLOSED)
    (folder / "two.xyz").write_text(STRUCTURE)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    bgw, task_program = (str(Path(argument).resolve()) for argument in sys.argv[1:3])
    folder = Path(sys.argv[3]).resolve()
    schemas = read_schemas(bgw, folder)
    with tempfile.TemporaryDirectory() as scratch:
        desk = Desk(bgw, task_program, schemas, Path(scratch))
        prepare(desk.folder, folder.parent.parent / "workflows" / "quickstart.bgw")
        for cases in (programs, without_results, results, benchmarks, trust, upkeep, looking, troubles, signals_and_others):
            cases(desk)
    commands = sorted(commands_with_json(bgw))
    for command in commands:
        if command not in schemas:
            fail(f"bgw {command} --json has no schema")
        if command not in desk.cases:
            fail(f"bgw {command} --json has no case here")
    for name in schemas:
        if name not in commands and name not in desk.cases and name != "failure":
            fail(f"the schema {name} is of no command and of no file")
        unseen = {member for part in parts(schemas[name]) for member in part.get("properties", ())} - desk.seen[name]
        unseen = {member for member in unseen if (name, member) not in RARE}
        if unseen:
            fail(f"{name}: no case has seen {', '.join(sorted(unseen))}")
    events = {event["$ref"].rsplit("/", 1)[1] for event in schemas["run"]["oneOf"]}
    if unseen := events - desk.events - RARE_EVENTS:
        fail(f"no case has seen the events {', '.join(sorted(unseen))}")
    print(f"{len(failures)} failures; {len(commands)} commands, {len(schemas)} schemas")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
