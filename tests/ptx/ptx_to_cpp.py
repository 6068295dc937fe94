"""Translates PTX, nvcc's assembly, to C++ that runs on the host: an entry becomes a function, a register a variable, a
branch a goto. Every access to memory goes through `Thread` of machine.h, which checks it.

    ptx_to_cpp.py [--only REGEX]... [--mutants] PTX CPP

--only: entries whose demangled name has the expression, of which at least one has to match; none: all of them.
--mutants: instead of the entries as they are, each mutant of mutants.py.

An instruction that is not known here stops the translation with its text. Where the manual (PTX ISA 9.0) leaves the
result of an approximate instruction open within a bound, instructions.h says which of the allowed ones it gives.
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

from ptx_arithmetic import SIZES, TYPES, Arithmetic, unknown

# How memory is cached, which changes no value.
CACHING = {"ca", "cg", "cs", "lu", "cv", "wb", "wt", "nc"}
SPECIAL = {"%tid.x": "t.thread", "%ctaid.x": "t.block_x", "%ctaid.y": "t.block_y", "%nctaid.x": "t.blocks_x",
           "%nctaid.y": "t.blocks_y", "%ntid.x": "256U"}


def statements(body):
    """Labels, braces and instructions in their order."""
    body = re.sub(r"//[^\n]*", "", body)
    at = re.compile(r"\s*(?:(?P<brace>[{}])|(?P<label>[$\w]+):(?!:)|(?P<text>[^;{}]*(?:\{[^}]*\}[^;{}]*)*);)")
    place = 0
    while body[place:].strip():
        match = at.match(body, place)
        if not match:
            unknown(body[place:place + 80])
        yield match
        place = match.end()


class Function(Arithmetic):
    """One entry or function."""

    def __init__(self, name, parameters, results, body, symbols):
        self.name = name
        self.symbols = dict(symbols)  # what names of memory are in C++
        self.registers = {}  # their C++ types, of a name or of the names that start so
        self.inner = []  # the same of the blocks inside
        self.declared = set()
        self.lines = []
        self.shared = 0
        self.waits = False
        for i, parameter in enumerate(parameters):
            self.symbols[parameter] = f"parameters[{i}]"
        for i, result in enumerate(results):
            self.symbols[result] = f"results[{i}]"
        for each in statements(body):
            if each["brace"]:
                self.lines.append(each["brace"])
                self.inner = self.inner + [{}] if each["brace"] == "{" else self.inner[:-1]
            elif each["label"]:
                self.lines.append(f"{self.label(each['label'])}:;")
            else:
                self.statement(" ".join(each["text"].split()))

    @staticmethod
    def label(name):
        return name.replace("$", "")

    def statement(self, text):
        self.text = text
        if text.startswith("."):
            self.directive(text)
            return
        guard = re.match(r"@(!?)%(\w+) ", text)
        if guard:
            text = text[guard.end():]
        opcode, _, rest = text.partition(" ")
        operands = [each.strip() for each in re.findall(r"(?:\{[^}]*\}|\[[^\]]*\]|\([^)]*\)|[^,])+", rest)]
        code = self.instruction(opcode.split("."), [each for each in operands if each])
        self.lines.append(f"if ({guard[1]}{guard[2]}) {{ {code} }}" if guard else code)

    def directive(self, text):
        if match := re.fullmatch(r"\.reg \.(\w+) (.*)", text):
            kind = TYPES.get(match[1]) or unknown(text)
            for name in match[2].split(","):
                name = re.sub(r"<\d+>", "", name).strip(" %")
                (self.inner[-1] if self.inner else self.registers)[name] = kind
                if self.inner:
                    self.lines.append(f"[[maybe_unused]] {kind} {name} = {{}};")
        elif match := re.fullmatch(r"\.local \.align (\d+) \.b8 (\w+)\[(\d+)\]", text):
            self.lines.append(f"alignas({match[1]}) std::byte depot[{match[3]}];")
            self.symbols[match[2]] = "address(depot)"
        elif match := re.fullmatch(r"\.shared \.align (\d+) \.b8 (\w+)\[(\d+)\]", text):
            align = int(match[1])
            self.shared = (self.shared + align - 1) // align * align
            self.symbols[match[2]] = str(self.shared)
            self.shared += int(match[3])
        elif match := re.fullmatch(r"\.param (?:\.align \d+ )?\.b(\d+) (\w+)(?:\[(\d+)\])?", text):
            self.lines.append(f"alignas(16) std::byte {match[2]}[{match[3] or int(match[1]) // 8}];")
            self.symbols[match[2]] = match[2]
        elif not text.startswith((".loc", ".pragma")):
            unknown(text)

    def register(self, operand):
        """The variable of a register, and its C++ type; or nothing."""
        if not (match := re.fullmatch(r"%((\w*?)\d*)", operand)):
            return None
        for block in reversed(self.inner):
            if match[1] in block:
                return match[1], block[match[1]]
        kind = self.registers.get(match[1]) or self.registers.get(match[2])
        if kind is None:
            unknown(self.text)
        self.declared.add(match[1])
        return match[1], kind

    def value(self, operand, kind):
        """An operand as a C++ expression of the PTX type `kind`."""
        to = TYPES[kind]
        if operand in SPECIAL:
            return f"{to}({SPECIAL[operand]})"
        if found := self.register(operand):
            name, of = found
            if of == to:
                return name
            return f"{to}({name})" if "int" in of and "int" in to else f"as<{to}>({name})"
        if match := re.fullmatch(r"0[fF]([0-9A-Fa-f]{8})|0[dD]([0-9A-Fa-f]{16})", operand):
            return f"as<{to}>({'0x' + match[1] + 'U' if match[1] else '0x' + match[2] + 'ULL'})"
        if re.fullmatch(r"-?(0x[0-9A-Fa-f]+|\d+)U?", operand):
            return f"{to}({operand.rstrip('U')}ULL)"
        if operand in self.symbols and kind in ("b64", "u64", "s64", "b32", "u32"):
            name = self.symbols[operand]
            return f"{to}({'address(' + name + ')' if name.startswith('parameters') else name})"
        return unknown(self.text)

    def give(self, operand, kind, expression):
        """The assignment of an expression of the PTX type `kind` to a register."""
        if operand == "_":
            return f"(void)({expression});"
        name, of = self.register(operand) or unknown(self.text)
        if of == TYPES[kind]:
            return f"{name} = {expression};"
        if "int" in of and "int" in TYPES[kind]:
            return f"{name} = {of}({TYPES[kind]}({expression}));"
        return f"{name} = as<{of}>({TYPES[kind]}({expression}));"

    def instruction(self, parts, operands):
        base, modifiers = parts[0], parts[1:]
        method = getattr(self, f"do_{base}", None)
        if method is None:
            unknown(self.text)
        return method(modifiers, operands)

    def only(self, modifiers, allowed):
        if not set(modifiers) <= set(allowed):
            unknown(self.text)

    # Memory.

    def place(self, operand):
        """The space-independent parts of an address: its base and its offset."""
        match = re.fullmatch(r"\[([%$\w]+)(?:\+(-?\d+))?\]", operand) or unknown(self.text)
        return match[1], match[2] or "0"

    def memory(self, modifiers, names, operand, verb):
        space, kind = modifiers[0], modifiers[-1]
        others = [each for each in modifiers[1:-1] if each not in CACHING and not re.match(r"L[12]::", each)]
        if kind not in SIZES or space not in ("global", "shared", "local", "param") or len(others) > 1:
            unknown(self.text)
        registers = re.findall(r"[%\w.]+", names)
        if len(registers) != (int(others[0][1:]) if others else 1):
            unknown(self.text)
        base, offset = self.place(operand)
        if verb == "load":
            values = ", ".join((self.register(each) or unknown(self.text))[0] for each in registers)
        else:
            values = ", ".join(self.value(each, kind) for each in registers)
        if space == "param":
            if base in self.symbols:
                return f"{verb}_parameter<{TYPES[kind]}>({self.symbols[base]} + {offset}, {values});"
            if verb == "store":
                unknown(self.text)
        where = f"{self.value(base, 'u64')} + {offset}"
        depot = "depot, sizeof(depot), " if space == "local" else ""
        return f"t.{verb}_{space}<{TYPES[kind]}>({depot}{where}, {values});"

    def do_ld(self, modifiers, operands):
        return self.memory(modifiers, operands[0], operands[1], "load")

    def do_st(self, modifiers, operands):
        if len(operands) != 2:
            unknown(self.text)
        return self.memory(modifiers, operands[1], operands[0], "store")

    def do_cvta(self, modifiers, operands):
        if modifiers[:1] == ["to"]:
            modifiers = modifiers[1:]
        if modifiers[0] not in ("global", "local", "param") or modifiers[1] != "u64":
            unknown(self.text)
        return self.give(operands[0], "u64", self.value(operands[1], "u64"))

    def do_mov(self, modifiers, operands):
        kind, = modifiers
        halves = [each.strip("{} ").split(",") if each.startswith("{") else None for each in operands]
        if halves[0]:
            part = f"b{8 * SIZES[kind] // len(halves[0])}"
            return " ".join(self.give(name.strip(), part, f"part<{TYPES[part]}>({self.value(operands[1], kind)}, {i})")
                            for i, name in enumerate(halves[0]))
        if halves[1]:
            part = f"b{8 * SIZES[kind] // len(halves[1])}"
            values = ", ".join(self.value(name.strip(), part) for name in halves[1])
            return self.give(operands[0], kind, f"joined<{TYPES[kind]}>({values})")
        return self.give(operands[0], kind, self.value(operands[1], kind))

    # Control.

    def do_bra(self, modifiers, operands):
        self.only(modifiers, ["uni"])
        return f"goto {self.label(operands[0])};"

    def do_ret(self, modifiers, operands):
        return "return;"

    do_exit = do_ret

    def do_bar(self, modifiers, operands):
        if modifiers not in (["sync"], ["sync", "aligned"]) or operands != ["0"]:
            unknown(self.text)
        return "t.synchronize();"

    do_barrier = do_bar

    def do_griddepcontrol(self, modifiers, operands):
        if modifiers == ["wait"]:
            self.waits = True
            return "t.wait();"
        self.only(modifiers, ["launch_dependents"])
        return ";"

    def do_call(self, modifiers, operands):
        self.only(modifiers, ["uni"])
        lists = [each.strip("() ").split(",") if each.startswith("(") else each for each in operands]
        results = lists.pop(0) if isinstance(lists[0], list) else []
        name = lists[0]
        arguments = lists[1] if len(lists) > 1 else []

        def array(names):
            names = [each.strip() for each in names if each.strip()]
            return "{" + ", ".join(self.symbols[each] for each in names) + "}" if names else "{nullptr}"
        return (f"{{ std::byte* const results_[] = {array(results)}; std::byte* const parameters_[] = "
                f"{array(arguments)}; f_{name}(t, results_, parameters_); }}")

    # The function in C++.

    def declarations(self):
        for name in sorted(self.declared):
            kind = self.registers.get(name) or self.registers[re.fullmatch(r"(\w*?)\d*", name)[1]]
            yield f"[[maybe_unused]] {kind} {name} = {{}};"

    def code(self, name):
        body = "\n".join(["[[maybe_unused]] bool carry = false;", *self.declarations(), *self.lines])
        return (f"static void {name}([[maybe_unused]] Thread t, [[maybe_unused]] std::byte* const* results, "
                f"[[maybe_unused]] std::byte* const* parameters) {{\n{body}\n}}\n")


HEAD = re.compile(r"^(?:\.visible |\.weak )?\.(entry|func)\s+(?:\((?P<results>[^)]*)\)\s*)?(?P<name>\w+)\s*"
                  r"\((?P<parameters>[^)]*)\)[^{;]*(?P<end>[{;])", re.M)


def functions(text):
    """Kind, name, head and body of each function that has a body."""
    for head in HEAD.finditer(text):
        if head["end"] == "{":
            yield head, text[head.end():re.compile(r"^\}", re.M).search(text, head.end()).start()]


def names_of(parameters):
    return re.findall(r"(\w+)(?:\[\d+\])?\s*(?:,|$)", parameters or "")


def tables(text):
    """Constants that lie in memory, as C++, and their names."""
    code, names = [], {}
    for align, name, size, values in re.findall(
            r"^\.(?:visible )?(?:global|const) \.align (\d+) \.b8 (\w+)\[(\d+)\] = \{([^}]*)\};", text, re.M):
        code.append(f"alignas({align}) static const unsigned char {name}[{size}] = {{{values}}};\n"
                    f"[[maybe_unused]] static const bool {name}_known = add_table({name}, {size});\n")
        names[name] = f"address({name})"
    return "".join(code), names


def demangled(names):
    return subprocess.run(["c++filt"], input="\n".join(names), text=True, check=True,
                          stdout=subprocess.PIPE).stdout.splitlines()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--mutants", action="store_true")
    parser.add_argument("ptx")
    parser.add_argument("cpp")
    given = parser.parse_args()
    text = Path(given.ptx).read_text(encoding="utf-8")
    constants, symbols = tables(text)
    found = list(functions(text))
    readable = dict(zip([head["name"] for head, _ in found], demangled([head["name"] for head, _ in found])))
    out = ["// Made by ptx_to_cpp.py.\n#include \"machine.h\"\n\nnamespace tests::ptx {\nnamespace {\n\n", constants]
    entries = []
    for head, body in sorted(found, key=lambda each: each[0][1] == "entry"):
        name = head["name"]
        arguments = names_of(head["parameters"]), names_of(head["results"])
        if head[1] == "func":
            out.append(Function(name, *arguments, body, symbols).code(f"f_{name}"))
            continue
        if given.only and not any(re.search(each, readable[name]) for each in given.only):
            continue
        if given.mutants:
            from mutants import mutants_of
            for mutant, changed in mutants_of(readable[name], body):
                function = Function(name, *arguments, changed, symbols)
                out.append(function.code(f"mutant_{len(entries)}"))
                entries.append((name, f"mutant_{len(entries)}", f"{mutant}", function))
        else:
            function = Function(name, *arguments, body, symbols)
            out.append(function.code(f"entry_{len(entries)}"))
            entries.append((name, f"entry_{len(entries)}", readable[name].split("(")[0], function))
    if not entries:
        sys.exit("ptx_to_cpp: no entry is chosen")
    out.append("} // namespace\n} // namespace tests::ptx\n\n// The kernels as this compiler has them, by which "
               "a launch finds its entry.\n")
    for name in sorted({each[0] for each in entries}):
        out.append(f'extern "C" void {name}() __attribute__((weak));\n')
    out.append("\nnamespace tests::ptx {\nnamespace {\n[[maybe_unused]] const bool known[] = {\n")
    for name, code, label, function in entries:
        out.append(f'add_entry({{reinterpret_cast<const void*>(&::{name}), &{code}, "{label}", {function.shared}, '
                   f'{str(function.waits).lower()}, {str(given.mutants).lower()}}}),\n')
    out.append("};\n} // namespace\n} // namespace tests::ptx\n")
    # Left alone where it is the same, so that it is not compiled again.
    cpp, made = Path(given.cpp), "".join(out)
    if not cpp.exists() or cpp.read_text(encoding="utf-8") != made:
        cpp.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
